// How long a delta takes to be drawn with two hundred open orders, in real Chromium: `npm run draw-figure -- --json`.
import { launch } from './browser.mjs'
import { serveDist } from './static_server.mjs'

const WARM_UP = 20
const DELTAS = 300

const at = (sorted, part) => sorted[Math.min(sorted.length - 1, Math.ceil(part * sorted.length) - 1)]
const round = (ms) => Math.round(ms * 100) / 100

const server = await serveDist()
const browser = await launch()
try {
  const page = await browser.newPage({ viewport: { width: 1920, height: 1080 }, reducedMotion: 'reduce' })
  page.setDefaultTimeout(120_000)
  await page.goto(`${server.url}/stories/draw`)
  await page.waitForFunction(() => typeof window.drawDeltas === 'function' && document.querySelectorAll('.tickets article').length > 5)
  await page.evaluate((count) => window.drawDeltas(count), WARM_UP)
  const { frames, works } = await page.evaluate((count) => window.drawDeltas(count), DELTAS)
  frames.sort((a, b) => a - b)
  works.sort((a, b) => a - b)
  const figures = [
    // From the frame's text to the task after the drawing that shows it: with the wait for the glass, 60 times a second.
    { figure: 'draw_delta_p99', unit: 'ms', ours: round(at(frames, 0.99)) },
    { figure: 'draw_delta_p50', unit: 'ms', ours: round(at(frames, 0.5)) },
    // The same without that wait: parse, reduce, cards, layout, markup, style.
    { figure: 'draw_delta_work_p99', unit: 'ms', ours: round(at(works, 0.99)) },
    { figure: 'draw_delta_work_p50', unit: 'ms', ours: round(at(works, 0.5)) },
  ]
  if (process.argv.includes('--json')) console.log(JSON.stringify(process.argv.includes('--all') ? figures : figures[0]))
  else for (const { figure, unit, ours } of figures) console.log(`${figure.padEnd(22)} ${String(ours).padStart(8)} ${unit}   (${DELTAS} deltas, 200 open orders, 1920x1080)`)
} finally {
  await browser.close()
  await server.close()
}
