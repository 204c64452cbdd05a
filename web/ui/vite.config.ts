import { fileURLToPath, URL } from 'node:url'
import { defineConfig } from 'vitest/config'
import vue from '@vitejs/plugin-vue'

// Django serves the built files under /static/ui/ and reads dist/manifest.json to find the entry.
// Everything a diagram needs stays in its own chunk: it is fetched when the first diagram is shown.
const groups = [
  { name: 'vue', test: /node_modules[\\/](@vue|vue|vue-router|pinia|vue-i18n|@intlify|@vueuse)[\\/]/ },
  { name: 'element', test: /node_modules[\\/](element-plus|@element-plus|@floating-ui|@popperjs|dayjs|lodash-es|lodash-unified|async-validator|@ctrl|normalize-wheel-es|memoize-one|escape-html)[\\/]/ },
  { name: 'bpmn', test: /node_modules[\\/](bpmn-|diagram-js|moddle|@bpmn-io|min-dash|min-dom|tiny-svg|didi|ids|inherits-browser|path-intersection|clsx|htm|preact|component-event)/ },
]

const backend = process.env.ZUOXI_BACKEND ?? 'http://127.0.0.1:8000'

export default defineConfig({
  base: '/static/ui/',
  plugins: [vue()],
  resolve: { alias: { '@': fileURLToPath(new URL('./src', import.meta.url)) } },
  build: {
    outDir: 'dist',
    manifest: 'manifest.json',
    sourcemap: false,
    target: ['chrome109', 'edge109'],
    chunkSizeWarningLimit: 900,
    rolldownOptions: { output: { codeSplitting: { groups } } },
  },
  server: {
    proxy: {
      '/api': backend,
      '/ws': { target: backend.replace('http', 'ws'), ws: true },
    },
  },
  test: {
    environment: 'happy-dom',
    include: ['src/**/*.spec.ts'],
    setupFiles: ['src/testing/setup.ts'],
  },
})
