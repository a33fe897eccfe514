/** The engine's program: the worker starts it as a child process, because a running graph blocks its whole thread. */
import { createOnnxEngine } from './onnx.ts';
import { serveEngine } from './server.ts';

// One engine so far; the settings already say which.
serveEngine(createOnnxEngine);
