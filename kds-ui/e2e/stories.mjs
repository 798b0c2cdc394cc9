// Walks every story: takes its picture at its sizes and asks axe-core about it.
import { mkdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { SIZES } from './browser.mjs'

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
const RULES = { runOnly: { type: 'tag', values: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }, rules: { 'color-contrast-enhanced': { enabled: true } } }

/** `check(name, work)` runs one named check. */
export async function walkStories(browser, url, pictures, check, only) {
  mkdirSync(pictures, { recursive: true })
  const context = await browser.newContext({ reducedMotion: 'reduce', serviceWorkers: 'block' })
  const page = await context.newPage()
  // Twice the size of everything on the same glass: what a browser's zoom of 200 % does.
  const large = await browser.newContext({ reducedMotion: 'reduce', serviceWorkers: 'block', deviceScaleFactor: 2 })
  const largePage = await large.newPage()
  await page.goto(`${url}/stories`)
  await page.waitForSelector('li a')
  const stories = await page.$$eval('li', (items) => items.map((item) => ({ name: item.querySelector('a').textContent, width: item.querySelector('iframe').style.width })))
  for (const { name, width } of stories) {
    if (only && !name.startsWith(only)) continue
    const sizes = width === '1080px' ? SIZES.kiosk : width === '390px' ? SIZES.phone : width === '1024px' ? SIZES.tablet : SIZES.kitchen
    for (const size of sizes) {
      await check(`story ${name} ${size.width}x${size.height}`, async () => {
        const zoomed = name.endsWith('text-200')
        await walk(zoomed ? largePage : page, zoomed ? { width: size.width / 2, height: size.height / 2 } : size)
      })
      async function walk(page, viewport) {
        const problems = []
        const listen = (error) => problems.push(error.message)
        page.on('pageerror', listen)
        await page.setViewportSize(viewport)
        await page.goto(`${url}/stories/${name}`)
        await page.waitForFunction(() => document.querySelector('#app > *') !== null)
        await page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))))
        await page.screenshot({ path: join(pictures, `${name}-${size.width}x${size.height}.png`), fullPage: size.width < 600 })
        await page.evaluate(AXE)
        const found = await page.evaluate((rules) => window.axe.run(document, rules), RULES)
        page.off('pageerror', listen)
        for (const violation of found.violations) problems.push(`${violation.id}: ${violation.nodes.slice(0, 3).map((node) => `${node.target} ${node.failureSummary?.split('\n')[1] ?? ''}`).join(' | ')} (${violation.nodes.length})`)
        const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth)
        if (wide > 1) problems.push(`the page is ${wide}px wider than the screen`)
        if (problems.length > 0) throw new Error(problems.join('\n      '))
      }
    }
  }
  await context.close()
  await large.close()
}
