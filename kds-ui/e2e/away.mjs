// The node is pulled out of the wall, and comes back: screens collect, say so, and everything arrives once.
import { join } from 'node:path'
import { equal } from './checks.mjs'
import { choose, numberOn } from './kiosk.mjs'
import { headOf, live, phaseIs, ticketOf } from './restaurant.mjs'
import { until } from './wait.mjs'

export async function awayChecks(house, check, pictures) {
  const kitchen = await house.screen('kitchen', 'Line', { width: 1280, height: 800 })
  const kiosk = await house.screen('customer', 'Kiosk', { width: 1080, height: 1920 })
  await live(kitchen.page).waitFor()
  const first = await house.place([['The Hawaiian Pizza', 'M', 2]])
  const second = await house.place([['The Greek Pizza', 'L']])
  const third = await house.place([['The Italian Supreme Pizza', 'L']])
  await ticketOf(kitchen.page, third.number).waitFor()
  const tab = await kitchen.context.newPage()
  await tab.goto(`${house.node.url}/kitchen`)
  await ticketOf(tab, third.number).waitFor()
  // The worker that keeps the program must be in charge before the plug is pulled.
  await kitchen.page.evaluate(() => navigator.serviceWorker.ready.then(() => undefined))
  await until('the program is kept on the device', () => kitchen.page.evaluate(async () => (await caches.match('/')) !== undefined))
  await kiosk.page.getByRole('button', { name: 'Take away' }).click()
  await choose(kiosk.page, 'Veggie', 'The Four Cheese Pizza', 'L')
  const before = (await house.orders()).length

  await house.kill()

  await check('away: the kitchen says so in one calm line and goes on bumping', async () => {
    await kitchen.page.locator('.banner.calm', { hasText: 'No answer from the node since' }).waitFor({ timeout: 30_000 })
    await headOf(kitchen.page, first.number).click()
    await headOf(kitchen.page, first.number).waitFor({ state: 'detached' })
    await kitchen.page.locator('.banner.calm', { hasText: '1 tap will be sent' }).waitFor()
    await kitchen.page.locator('footer').getByText('sending').first().waitFor()
    await kitchen.page.screenshot({ path: join(pictures, 'live-kitchen-away.png') })
  })

  await check('away: two taps in two tabs on one ticket', async () => {
    await headOf(tab, second.number).click()
    await headOf(kitchen.page, second.number).click({ timeout: 2_000 }).catch(() => undefined) // The other tab may have taken it already.
    await kitchen.page.locator('.banner.calm', { hasText: 'will be sent' }).waitFor()
  })

  await check('away: a bump and its undo leave nothing to send for that ticket', async () => {
    await headOf(kitchen.page, third.number).click()
    await kitchen.page.locator('.toast', { hasText: third.number }).getByRole('button', { name: 'Undo' }).click()
    await kitchen.page.locator('article:not(.ghost)', { hasText: third.number }).waitFor()
  })

  await check('away: a reloaded kitchen still has its board and its taps', async () => {
    await kitchen.page.reload()
    await ticketOf(kitchen.page, third.number).waitFor()
    equal(await kitchen.page.locator('article:not(.ghost)', { hasText: first.number }).count(), 0, 'the bumped ticket is back on the board')
    await kitchen.page.locator('.banner.calm', { hasText: 'will be sent' }).waitFor({ timeout: 30_000 })
  })

  await check('away: the kiosk keeps the order, shows no number, and says so', async () => {
    await kiosk.page.locator('.away', { hasText: 'does not answer just now' }).waitFor({ timeout: 30_000 })
    await kiosk.page.screenshot({ path: join(pictures, 'live-kiosk-away.png') })
    await kiosk.page.getByRole('button', { name: 'View order' }).click()
    await kiosk.page.getByRole('button', { name: 'Order, pay at the counter' }).click()
    await kiosk.page.getByRole('heading', { name: 'The kitchen does not answer just now' }).waitFor()
    await kiosk.page.getByText('You have no number yet and nothing is charged').waitFor()
    equal(await kiosk.page.locator('.placed').count(), 0, 'numbers shown')
    await kiosk.page.screenshot({ path: join(pictures, 'live-kiosk-waiting.png') })
    await kiosk.page.reload()
    await kiosk.page.getByRole('heading', { name: 'The kitchen does not answer just now' }).waitFor()
  })

  await house.restart()

  await check('away, and back: everything arrives, once', async () => {
    await live(kitchen.page).waitFor({ timeout: 30_000 })
    await phaseIs(house, first.id, 'ready', 0)
    await phaseIs(house, second.id, 'ready', 0)
    await phaseIs(house, third.id, 'queued', 0)
    await kiosk.page.locator('.placed .number').waitFor({ timeout: 30_000 })
    const number = await numberOn(kiosk.page)
    equal((await house.orders()).length, before + 1, 'orders at the node')
    await ticketOf(kitchen.page, number).waitFor()
    await kitchen.page.locator('.banner').waitFor({ state: 'detached' })
    equal(await kitchen.page.locator('.refusal').count(), 0, 'refusals')
    for (const order of [first, second]) equal((await house.order(order.id)).history.filter(({ to }) => to === 'READY_FOR_PICKUP').length, 1, `times ${order.number} became ready`)
    await kitchen.page.screenshot({ path: join(pictures, 'live-kitchen-back.png') })
  })

  await check('away: an order given up while the node was away is never sent', async () => {
    await kiosk.page.getByRole('button', { name: 'New order' }).click()
    await kiosk.page.getByRole('button', { name: 'Take away' }).click()
    await choose(kiosk.page, 'Veggie', 'The Four Cheese Pizza', 'M')
    const orders = (await house.orders()).length
    await house.kill()
    await kiosk.page.getByRole('button', { name: 'View order' }).click()
    await kiosk.page.getByRole('button', { name: 'Order, pay at the counter' }).click()
    await kiosk.page.getByRole('button', { name: 'Do not order' }).click()
    await kiosk.page.getByRole('button', { name: 'Order, pay at the counter' }).waitFor()
    await house.restart()
    await kiosk.page.locator('.away').waitFor({ state: 'detached', timeout: 30_000 })
    equal((await house.orders()).length, orders, 'orders at the node')
  })

  await check('away: no script failed', async () => equal([...kitchen.errors, ...kiosk.errors], [], 'errors'))
  await kitchen.context.close()
  await kiosk.context.close()
}
