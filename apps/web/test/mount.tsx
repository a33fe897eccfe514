/** Draws a component as the studio does, into a page of happy-dom, and takes it away after the test. */
import { MantineProvider } from '@mantine/core';
import { act, type ReactNode } from 'react';
import { createRoot } from 'react-dom/client';
import { onTestFinished } from 'vitest';

Object.assign(globalThis, { IS_REACT_ACT_ENVIRONMENT: true });

export async function mount(content: ReactNode) {
  const container = document.body.appendChild(document.createElement('div'));
  const root = createRoot(container);
  const draw = (next: ReactNode) =>
    act(async () => root.render(<MantineProvider env="test">{next}</MantineProvider>));
  onTestFinished(async () => {
    await act(async () => root.unmount());
    container.remove();
  });
  await draw(content);

  return {
    container,
    draw,
    /** The only element of a selector whose text, label or name is `name`. */
    find<Found extends Element = HTMLElement>(selector: string, name?: string): Found {
      const found = [...container.querySelectorAll<Found>(selector)].filter(
        (element) => name === undefined || nameOf(element) === name,
      );
      if (found.length !== 1)
        throw new Error(`${found.length} of ${selector} ${name ?? ''}\n${container.innerHTML}`);
      return found[0] as Found;
    },
    click: (element: HTMLElement) => act(async () => element.click()),
    type: (input: HTMLInputElement | HTMLTextAreaElement, text: string) => act(async () => type(input, text)),
  };
}

function nameOf(element: Element): string | undefined {
  const label = element.id === '' ? null : element.ownerDocument.querySelector(`label[for="${element.id}"]`);
  return (label ?? element).textContent ?? undefined;
}

/** React listens for the event, and compares with the value that its own setter saw. */
function type(input: HTMLInputElement | HTMLTextAreaElement, text: string) {
  const setter = Object.getOwnPropertyDescriptor(Object.getPrototypeOf(input), 'value')?.set;
  setter?.call(input, text);
  input.dispatchEvent(new Event('input', { bubbles: true }));
}
