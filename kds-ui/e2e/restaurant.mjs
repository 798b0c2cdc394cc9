// One restaurant for the tests: a node, an administrator, a kitchen and a kiosk in their own browsers' memories.
import { randomUUID } from 'node:crypto'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { startNode } from './node.mjs'
import { until } from './wait.mjs'

const DIST = fileURLToPath(new URL('../dist', import.meta.url))

/** With `PILOTLIGHT_SCREENS=dist` the built screens take the place of those in the node: a change of them is tried without building the node. */
export async function ownScreens(context) {
  if (process.env.PILOTLIGHT_SCREENS !== 'dist') return
  await context.route(
    ({ pathname }) => !pathname.startsWith('/api/') && pathname !== '/ca.crt',
    (route) => {
      const file = join(DIST, new URL(route.request().url()).pathname)
      return route.fulfill({ path: existsSync(file) && statSync(file).isFile() ? file : join(DIST, 'index.html') })
    },
  )
}

export async function openRestaurant(browser) {
  let node = await startNode()
  const admin = await node.api('POST', '/pair', { code: node.adminCode, name: 'e2e admin' })
  const house = {
    get node() {
      return node
    },
    admin,
    api: (method, path, body, token = admin.token) => node.api(method, path, body, token),
    code: (role) => house.api('POST', '/pairing-codes', { role }),
    menu: () => house.api('GET', '/menu'),
    order: (id) => house.api('GET', `/orders/${id}`),
    orders: async () => (await house.api('GET', '/orders?state=all&limit=200')).orders,
    byNumber: async (number) => (await house.orders()).find((order) => order.number === number),
    /** Places an order over the API, as another kiosk would. */
    async place(names, more = {}) {
      const menu = await house.menu()
      let total = 0
      const lines = names.map(([name, size, quantity = 1, note = null]) => {
        const item = menu.items.find((each) => each.name === name)
        if (!item) throw new Error(`no ${name} on the menu`)
        const variant = item.variants.find((each) => each.name === size) ?? item.variants[0]
        total += variant.price_minor * quantity
        return { id: randomUUID(), item: item.id, variant: variant.id, quantity, choices: [], note }
      })
      return house.api('POST', '/orders', { id: randomUUID(), channel: 'counter', fulfilment: 'dine_in', table: '7', note: null, lines, expected_total_minor: total, ...more })
    },
    kill: () => node.kill(),
    async restart() {
      node = await startNode({ home: node.home, url: node.url })
    },
    /** A browser of its own, paired through the page. */
    async screen(role, name, viewport, more = {}) {
      const context = await browser.newContext({ viewport, ignoreHTTPSErrors: true, reducedMotion: 'reduce', ...more })
      context.setDefaultTimeout(15_000)
      await ownScreens(context)
      const page = await context.newPage()
      const errors = []
      page.on('pageerror', (error) => errors.push(error.message))
      const { code } = await house.code(role)
      await page.goto(`${node.url}/pair?code=${code}`)
      await page.getByLabel('Name of this screen').fill(name)
      await page.getByRole('button', { name: 'Pair' }).click()
      // Who goes elsewhere before the answer is there is not paired.
      await page.getByRole('button', { name: 'Pair' }).waitFor({ state: 'hidden' })
      return { context, page, errors }
    },
    close: () => node.stop(),
  }
  return house
}

export const ticketOf = (page, number) => page.locator('.tickets article', { hasText: number }).first()
export const headOf = (page, number) => ticketOf(page, number).locator('[data-head]')
export const live = (page) => page.locator('.link.live')

/** The phase of an order's first ticket at the node. */
export async function phaseIs(house, id, phase, epoch) {
  let seen = ''
  try {
    return await until(`ticket of ${id} is ${phase} in epoch ${epoch ?? 'any'}`, async () => {
      const [ticket] = (await house.order(id)).tickets
      seen = `${ticket.phase} in epoch ${ticket.epoch}`
      return ticket.phase === phase && (epoch === undefined || ticket.epoch === epoch) ? ticket : null
    })
  } catch (error) {
    throw new Error(`${error.message}, but ${seen}`)
  }
}
