import { defineConfig } from 'vitest/config';

// The bundle asks nothing of any other host and needs no inline script or style: sekisho-api serves it under a
// strict Content-Security-Policy.
export default defineConfig({
  base: './',
  esbuild: { jsx: 'automatic', jsxImportSource: 'preact' },
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    cssCodeSplit: false,
    reportCompressedSize: false,
  },
  test: { environment: 'node', include: ['test/*.test.ts'] },
});
