/** The engine's program: the worker starts it as a child process, because a running graph blocks its whole thread. */
import { serveEngine } from './server.ts';

// Each engine is loaded when it is the chosen one: ONNX Runtime alone takes a second and 100 MB.
serveEngine(async (settings, onNote) => {
  if (settings.engine === 'sd-server') {
    const { createSdServerEngine } = await import('./sd-server.ts');
    return createSdServerEngine(settings, { onNote });
  }
  const { createOnnxModels } = await import('./onnx-models.ts');
  return createOnnxModels(settings, onNote);
});
