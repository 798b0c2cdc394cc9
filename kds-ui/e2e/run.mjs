// The browser tests: the real node, real Chromium. `PILOTLIGHT_NODE_BIN` names the node, `PILOTLIGHT_RELAY_BIN` and `PILOTLIGHT_GATEWAY_BIN` the cloud, which is left out without them; `--only TEXT` runs the checks whose name has it, `--only stories --stories TEXT` those stories whose name begins so.
import { mkdirSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { launch } from './browser.mjs'
import { checks } from './checks.mjs'
import { cloudIsThere } from './cloud.mjs'
import { deliveryChecks } from './delivery.mjs'
import { kioskChecks } from './kiosk.mjs'
import { kitchenChecks } from './kitchen.mjs'
import { awayChecks } from './away.mjs'
import { ownerChecks } from './owner.mjs'
import { phoneChecks } from './phone.mjs'
import { openRestaurant } from './restaurant.mjs'
import { serveDist } from './static_server.mjs'
import { walkStories } from './stories.mjs'

const ALL_MS = 12 * 60_000
const pictures = resolve(process.env.PILOTLIGHT_SCREENSHOTS ?? fileURLToPath(new URL('../../target/screenshots', import.meta.url)))
const only = process.argv.includes('--only') ? process.argv[process.argv.indexOf('--only') + 1] : ''
const stories = process.argv.includes('--stories') ? process.argv[process.argv.indexOf('--stories') + 1] : ''
const part = (name) => only === '' || name.includes(only)

const watchdog = setTimeout(() => {
  console.log(`the browser tests took longer than ${ALL_MS / 60_000} minutes`)
  console.log('0 passed, 1 failed')
  process.exit(1)
}, ALL_MS)

mkdirSync(pictures, { recursive: true })
const { check, end } = checks()
const browser = await launch()
try {
  for (const [name, run] of [
    ['kitchen', kitchenChecks],
    ['kiosk', kioskChecks],
    ['away', awayChecks],
    ['owner', ownerChecks],
    ...(cloudIsThere() ? [['delivery', deliveryChecks]] : []),
  ]) {
    if (!part(name)) continue
    const house = await openRestaurant(browser)
    try {
      await run(house, check, pictures, browser)
    } finally {
      await house.close()
    }
  }
  if (part('phone')) await phoneChecks(browser, check, pictures)
  if (part('stories')) {
    const server = await serveDist()
    try {
      await walkStories(browser, server.url, pictures, check, stories)
    } finally {
      await server.close()
    }
  }
} catch (error) {
  await check('the run', () => Promise.reject(error))
} finally {
  await browser.close()
  clearTimeout(watchdog)
}
process.exitCode = end() ? 0 : 1
