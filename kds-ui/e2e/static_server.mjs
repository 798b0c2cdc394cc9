// Serves the built screens alone: files, and the page for every route. Without `api` nothing answers under /api/, so that a story has no data but its own.
import { createReadStream, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:http'
import { extname, join, normalize } from 'node:path'
import { fileURLToPath } from 'node:url'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))
const TYPES = { '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.css': 'text/css', '.svg': 'image/svg+xml', '.webmanifest': 'application/manifest+json' }

/** `api(request, response)` answers what is asked under /api/. */
export async function serveDist(api = (_request, response) => response.writeHead(404).end()) {
  if (!existsSync(join(DIST, 'index.html'))) throw new Error('kds-ui/dist is missing: run npm run build')
  const server = createServer((request, response) => {
    const path = normalize(new URL(request.url, 'http://local').pathname)
    const file = join(DIST, path)
    const found = file.startsWith(DIST) && existsSync(file) && statSync(file).isFile() ? file : join(DIST, 'index.html')
    if (path.startsWith('/api/')) {
      api(request, response)
      return
    }
    response.writeHead(200, { 'content-type': TYPES[extname(found)] ?? 'application/octet-stream' })
    createReadStream(found).pipe(response)
  })
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => new Promise((resolve) => (server.close(resolve), server.closeAllConnections())) }
}
