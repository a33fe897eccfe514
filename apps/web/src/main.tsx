/** The studio's entry: configures Firebase as Hosting tells, then draws the app. */
import '@mantine/core/styles.css';
import './studio.css';
import { createTheme, MantineProvider } from '@mantine/core';
import { StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { initialiseFirebase } from './firebase.ts';

const theme = createTheme({
  primaryColor: 'orange',
  // White on the default shade is too faint to read (WCAG 2.2, contrast 4.5:1).
  primaryShade: { light: 9, dark: 8 },
  defaultRadius: 'md',
  cursorType: 'pointer',
});

const root = createRoot(document.getElementById('root') as HTMLElement);
const draw = (content: React.ReactNode) =>
  root.render(
    <StrictMode>
      <MantineProvider theme={theme} defaultColorScheme="auto">
        {content}
      </MantineProvider>
    </StrictMode>,
  );

try {
  draw(<App app={await initialiseFirebase()} />);
} catch {
  draw(
    <p className="start-failure">
      The studio could not read its configuration. Check the connection and load the page again.
    </p>,
  );
}
