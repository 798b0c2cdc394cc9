import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { svelte } from '@sveltejs/vite-plugin-svelte'
import type { Plugin } from 'vite'
import { defineConfig } from 'vitest/config'

/** Writes `sw.js` with the list of files to keep and a version that changes with any of them. */
function serviceWorker(): Plugin {
  return {
    name: 'pilotlight-service-worker',
    apply: 'build',
    generateBundle(_options, bundle) {
      const assets = Object.keys(bundle)
        .filter((name) => name.startsWith('assets/') && !name.includes('stories'))
        .map((name) => `/${name}`)
        .sort()
      const kept = readdirSync('static').map((name) => `/${name}`)
      const hash = createHash('sha256').update(assets.join('\n'))
      for (const file of ['index.html', 'src/sw.js', ...kept.map((name) => `static${name}`)]) hash.update(readFileSync(file))
      const source = readFileSync('src/sw.js', 'utf8')
        .replace('__VERSION__', hash.digest('hex').slice(0, 12))
        .replace('__FILES__', JSON.stringify(['/', ...assets, ...kept]))
      this.emitFile({ type: 'asset', fileName: 'sw.js', source })
    },
  }
}

export default defineConfig({
  plugins: [svelte(), serviceWorker()],
  publicDir: 'static',
  build: { target: 'chrome87', outDir: 'dist', emptyOutDir: true, modulePreload: { polyfill: false }, reportCompressedSize: false },
  server: { proxy: { '/api': { target: process.env['PILOTLIGHT_NODE'] ?? 'https://127.0.0.1:7443', secure: false, ws: true } } },
  resolve: process.env['VITEST'] ? { conditions: ['browser'] } : {},
  test: { environment: 'happy-dom', include: ['src/**/*.test.ts'] },
})
