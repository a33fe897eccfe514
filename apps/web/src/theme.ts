/** The studio's colours and shapes, on Mantine's. */
import { type CSSVariablesResolver, createTheme } from '@mantine/core';

export const theme = createTheme({
  primaryColor: 'orange',
  // White on the default shades is too faint to read (WCAG 2.2, contrast 4.5:1).
  primaryShade: 9,
  defaultRadius: 'md',
  cursorType: 'pointer',
});

/** Under the pointer; Mantine's own is lighter than the button, and too faint below its white words. */
const primaryHover = { '--mantine-color-orange-filled-hover': '#bf3f08' };

/** Mantine's own shades of these three are fainter than 4.5:1 on our grounds. */
export const cssVariables: CSSVariablesResolver = ({ colors }) => ({
  variables: {},
  light: {
    ...primaryHover,
    '--mantine-color-dimmed': '#5c636a',
    '--mantine-color-placeholder': '#6c737a',
    '--mantine-color-error': colors.red[9],
  },
  dark: {
    ...primaryHover,
    '--mantine-color-dimmed': colors.dark[1],
    '--mantine-color-placeholder': '#a0a0a0',
    '--mantine-color-error': colors.red[4],
  },
});
