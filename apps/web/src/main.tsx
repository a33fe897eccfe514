/** The studio's entry: configures Firebase as Hosting tells, then draws the app. */
import '@mantine/core/styles.css';
import './studio.css';
import { MantineProvider } from '@mantine/core';
import { type ReactNode, StrictMode } from 'react';
import { createRoot } from 'react-dom/client';
import { App } from './app.tsx';
import { FailureBoundary, FailurePage } from './failure-page.tsx';
import { initialiseFirebase } from './firebase.ts';
import { cssVariables, theme } from './theme.ts';
import { WaitingPage } from './waiting-page.tsx';

const root = createRoot(document.getElementById('root') as HTMLElement);
const draw = (content: ReactNode) =>
  root.render(
    <StrictMode>
      <MantineProvider theme={theme} cssVariablesResolver={cssVariables} defaultColorScheme="auto">
        <FailureBoundary>{content}</FailureBoundary>
      </MantineProvider>
    </StrictMode>,
  );

draw(<WaitingPage />);
try {
  draw(<App app={await initialiseFirebase()} />);
} catch {
  draw(
    <FailurePage sentence="The studio could not read its configuration. Check the connection and try again." />,
  );
}
