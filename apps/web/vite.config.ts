/** Builds the studio into dist/, which Hosting serves; the workspace packages are taken from their sources. */
import react from '@vitejs/plugin-react';
import { defaultClientConditions, defineConfig } from 'vite';

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react()],
  resolve: { conditions: ['source', ...defaultClientConditions] },
  // The Firestore SDK alone is past Vite's default warning; it loads after sign-in.
  build: { chunkSizeWarningLimit: 800, sourcemap: true },
});
