// The customer's and the rider's phone against a relay that misbehaves on the minute.
import { join } from 'node:path'
import { equal } from './checks.mjs'
import * as customer from './customer_pages.mjs'
import * as rider from './rider_pages.mjs'
import { SITE, startRelay } from './scripted_relay.mjs'
import { until } from './wait.mjs'

const WHERE = ['Linienstraße 12', 'Berlin']

export async function phoneChecks(browser, check, pictures) {
  const relay = await startRelay()
  const errors = []
  async function phone() {
    const context = await browser.newContext({ viewport: customer.PHONE, reducedMotion: 'reduce', serviceWorkers: 'block' })
    context.setDefaultTimeout(10_000)
    const page = await context.newPage()
    page.on('pageerror', (error) => errors.push(error.message))
    return { context, page }
  }
  const { context, page } = await phone()
  const shot = (name) => page.screenshot({ path: join(pictures, `live-${name}.png`) })
  /** A basket at the checkout, priced. */
  async function ready(on = page) {
    await customer.openShop(on, relay.url, relay.home)
    await customer.openRestaurant(on, 'Pizzeria Pilota')
    await customer.add(on, 'Drinks', 'Lemonade')
    await customer.toCheckout(on)
    await customer.payButton(on).waitFor()
  }

  await check('customer: from a typed position to a tracked order', async () => {
    await customer.openShop(page, relay.url, relay.home)
    await shot('customer-near')
    await customer.openRestaurant(page, 'Pizzeria Pilota')
    await customer.add(page, 'Pizza', 'Margherita', 'L', ['Deep pan'])
    await customer.add(page, 'Drinks', 'Lemonade')
    await customer.toCheckout(page)
    await customer.asGuest(page, 'Ana', '030 1234')
    await customer.deliverTo(page, ...WHERE)
    await customer.tip(page, 10)
    // 16.00 + 1.50 + 3.20, 10 % of it, 2.50 to bring it.
    await page.getByRole('button', { name: 'Pay $25.27' }).waitFor()
    await shot('customer-checkout')
    const id = await customer.pay(page)
    await shot('customer-track')
    equal([relay.placed, relay.orders.has(id)], [1, true], 'orders at the relay')
  })

  await check('customer: a double tap, and a reload in the middle of it, are one order', async () => {
    await ready()
    const before = relay.placed
    relay.pendingTimes = 2
    await customer.payButton(page).dblclick()
    await page.getByText('Your bank is thinking').waitFor()
    await shot('customer-pending')
    await page.reload()
    await customer.tracked(page)
    equal(relay.placed, before + 1, 'orders at the relay')
  })

  await check('customer: the answer is lost on the way: sent again under the same id, paid once', async () => {
    await ready()
    const before = relay.placed
    let sent = 0
    await page.route(`**/${SITE}/orders`, async (route) => {
      sent += 1
      if (sent > 1) return route.continue()
      await route.fetch()
      return route.abort('connectionreset')
    })
    await customer.pay(page)
    await page.unroute(`**/${SITE}/orders`)
    equal(sent, 2, 'times sent')
    equal([relay.placed, relay.payments.length], [before + 1, before + 1], 'orders and payments at the relay')
  })

  await check('customer: two tabs pay the same basket: one order, and both show it', async () => {
    await ready()
    const before = relay.placed
    const tab = await context.newPage()
    await tab.goto(`${relay.url}/order/checkout`)
    await customer.payButton(tab).waitFor()
    relay.pendingTimes = 1
    // The tab that is slower may find the order there already, and no button.
    const clicks = await Promise.allSettled([customer.payButton(page).click({ noWaitAfter: true }), customer.payButton(tab).click({ noWaitAfter: true })])
    equal(clicks.some((click) => click.status === 'fulfilled'), true, 'a tab paid')
    const [one, two] = await Promise.all([customer.tracked(page), customer.tracked(tab)])
    equal([one === two, relay.placed], [true, before + 1], 'one order in both tabs')
    await tab.close()
  })

  await check('customer: no connection: the basket is kept, paying goes on by itself when it is back', async () => {
    await ready()
    const before = relay.placed
    relay.away = true
    await customer.payButton(page).click()
    await page.getByRole('heading', { name: 'No answer yet' }).waitFor()
    await shot('customer-paying-away')
    await page.reload()
    await page.getByRole('heading', { name: 'No answer yet' }).waitFor()
    relay.away = false
    await customer.tracked(page)
    equal(relay.placed, before + 1, 'orders at the relay')
  })

  await check('customer: stopped while away, paid again: still one order', async () => {
    await ready()
    const before = relay.placed
    // The first one arrives, its answer does not; what follows does not arrive.
    let sent = 0
    await page.route(`**/${SITE}/orders`, async (route) => {
      sent += 1
      if (sent === 1) await route.fetch()
      await route.abort()
    })
    await customer.payButton(page).click()
    await page.getByRole('button', { name: 'Stop trying' }).click()
    await page.getByText('We stopped.').waitFor()
    await page.unroute(`**/${SITE}/orders`)
    equal(relay.placed, before + 1, 'orders at the relay before paying again')
    await customer.pay(page)
    equal(relay.placed, before + 1, 'orders at the relay')
  })

  await check('customer: stopped, changed and paid again after all: the order that it was is shown, nothing is paid twice', async () => {
    await ready()
    const before = relay.placed
    let sent = 0
    await page.route(`**/${SITE}/orders`, async (route) => {
      sent += 1
      if (sent === 1) await route.fetch()
      await route.abort()
    })
    await customer.payButton(page).click()
    await page.getByRole('button', { name: 'Stop trying' }).click()
    await page.getByRole('button', { name: 'Back' }).click()
    await page.getByRole('button', { name: 'One more' }).click()
    await page.unroute(`**/${SITE}/orders`)
    await page.getByRole('button', { name: 'Go to checkout' }).click()
    await customer.payButton(page).click()
    await page.getByText('This basket was already ordered').waitFor()
    await shot('customer-other-cart')
    equal(relay.placed, before + 1, 'orders at the relay')
    await page.getByRole('button', { name: 'See that order' }).click()
    await customer.tracked(page)
  })

  await check('customer: a quote that ran out: the new price is shown with what changed, and asked again', async () => {
    relay.quoteMs = 3_000
    await ready()
    relay.deliveryMinor = 400
    relay.quoteMs = 5 * 60_000
    const before = relay.placed
    await page.getByText('The price has changed').waitFor()
    await page.getByText('Delivery: $2.50, now $4.00').waitFor()
    await shot('customer-changed')
    equal(relay.placed, before, 'orders at the relay')
    relay.deliveryMinor = 250
    await customer.pay(page)
    equal(relay.placed, before + 1, 'orders at the relay')
  })

  await check('customer: a quote that ran out while it was paid: nothing paid, the new price is shown first', async () => {
    await ready()
    const before = relay.placed
    relay.expireQuotes()
    relay.deliveryMinor = 300
    await customer.payButton(page).click()
    await page.getByText('Delivery: $2.50, now $3.00').waitFor()
    equal(relay.placed, before, 'orders at the relay')
    await page.getByRole('button', { name: 'Pay $6.20' }).waitFor()
    await customer.pay(page)
    relay.deliveryMinor = 250
    equal(relay.placed, before + 1, 'orders at the relay')
  })

  await check('customer: a declined card: nothing ordered; another card pays', async () => {
    await ready()
    const before = relay.placed
    await customer.card(page, 'Test card that is declined')
    await customer.payButton(page).click()
    await page.getByText('The card was declined').waitFor()
    await shot('customer-declined')
    equal(relay.placed, before, 'orders at the relay')
    await customer.card(page)
    await customer.pay(page)
    equal(new Set(relay.payments).size, relay.payments.length, 'each payment has its own id')
  })

  await check('customer: sold out meanwhile: said by line, nothing ordered', async () => {
    await ready()
    const before = relay.placed
    relay.soldOut = ['lemonade']
    await customer.tip(page, 15)
    await page.getByRole('alert').getByText('Something is just sold out').waitFor()
    await page.getByRole('button', { name: 'View basket' }).click()
    await page.getByText('Sold out. Remove it or choose another.').waitFor()
    relay.soldOut = []
    equal(relay.placed, before, 'orders at the relay')
    await page.getByRole('button', { name: 'Remove Lemonade' }).click()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('button', { name: 'Remove Lemonade' }).click()
  })

  await check('customer: held while the restaurant is away; the refund is shown first, then cancelled', async () => {
    await ready()
    const id = await customer.pay(page)
    const order = relay.orders.get(id)
    order.held = { expires_at: Date.now() + 10 * 60_000 }
    await page.reload()
    await page.getByText('The restaurant has no internet right now').waitFor()
    await shot('customer-held')
    const dialog = await customer.askCancel(page)
    await dialog.getByText('You get $10.00 back').waitFor()
    relay.refundMinor = 700
    await dialog.getByRole('button', { name: 'Cancel, $10.00 back' }).click()
    await dialog.getByText('The refund has changed meanwhile').waitFor()
    equal(order.status, 'ORDER_PLACED', 'nothing is cancelled for a refund that was not shown')
    await customer.confirmCancel(page)
    await page.getByText('$7.00 goes back to your card').waitFor()
    await shot('customer-cancelled')
    equal(order.status, 'CANCELLED', 'status at the relay')
  })

  await check('customer: by keyboard alone, from the restaurants to a tracked order', async () => {
    const before = relay.placed
    const press = async (name, role = 'button') => {
      const target = page.getByRole(role, { name }).first()
      await target.waitFor()
      for (let tabs = 0; tabs < 60; tabs += 1) {
        if (await target.evaluate((element) => element === document.activeElement)) return page.keyboard.press('Enter')
        await page.keyboard.press('Tab')
      }
      throw new Error(`${name} was not reached by Tab`)
    }
    await customer.openShop(page, relay.url, relay.home)
    await press('Pizzeria Pilota')
    await press('Drinks')
    await press('Lemonade')
    await press('Add to order')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await press('View basket')
    await press('Go to checkout')
    await press('I pick it up', 'radio')
    await customer.payButton(page).waitFor()
    await press(/^Pay /)
    await customer.tracked(page)
    equal(relay.placed, before + 1, 'orders at the relay')
  })

  await check('customer: the list of orders, and another’s order is not there', async () => {
    await page.goto(`${relay.url}/order/mine`)
    await page.getByRole('button', { name: 'Pizzeria Pilota' }).first().waitFor()
    equal(await page.getByRole('main').getByRole('listitem').count(), relay.orders.size, 'orders shown')
    await page.goto(`${relay.url}/order/mine/of-somebody-else`)
    await page.getByText('There is nothing here').waitFor()
  })

  await check('customer: what was known is shown without a connection', async () => {
    const [id] = relay.orders.keys()
    await page.goto(`${relay.url}/order/mine/${id}`)
    await customer.steps(page).first().waitFor()
    relay.away = true
    await page.reload()
    await customer.steps(page).first().waitFor()
    await page.getByText('You see what we knew then').waitFor()
    relay.away = false
    await page.goto(`${relay.url}/order/at/${SITE}`)
    await page.getByRole('navigation', { name: 'Categories' }).waitFor()
  })
  await context.close()

  const ride = await phone()
  await check('rider: from registering to delivered', async () => {
    await rider.register(ride.page, relay.url, 'Kofi', '030 99', 'correct horse')
    await rider.goOnShift(ride.page, relay.home)
    await rider.waiting(ride.page)
    relay.offer()
    await ride.page.reload()
    await rider.offer(ride.page).waitFor()
    await ride.page.screenshot({ path: join(pictures, 'live-rider-offer.png') })
    await rider.accept(ride.page)
    await rider.atStore(ride.page)
    await rider.pickedUp(ride.page)
    await ride.page.getByRole('heading', { name: 'Linienstraße 12, Berlin' }).waitFor()
    await ride.page.screenshot({ path: join(pictures, 'live-rider-to-customer.png') })
    await rider.delivered(ride.page)
    await rider.waiting(ride.page)
    await until('the relay heard each tap once', () => relay.riderCalls.length === 4)
    equal(relay.riderCalls, ['accept', 'at-store', 'picked-up', 'delivered'], 'calls')
  })

  await check('rider: without a connection taps are kept over a reload and sent in their order', async () => {
    relay.riderCalls.length = 0
    relay.offer()
    await ride.page.reload()
    await rider.accept(ride.page)
    await ride.page.getByRole('button', { name: 'I am at the restaurant' }).waitFor()
    relay.away = true
    await rider.atStore(ride.page)
    await rider.pickedUp(ride.page)
    await ride.page.getByText('2 taps wait to be sent').waitFor()
    await ride.page.getByText('No connection since').waitFor()
    await ride.page.screenshot({ path: join(pictures, 'live-rider-offline.png') })
    await ride.page.reload()
    await ride.page.getByRole('heading', { name: 'Linienstraße 12, Berlin' }).waitFor()
    relay.away = false
    await until('the relay heard them', () => relay.riderCalls.length === 3, 20_000)
    equal(relay.riderCalls, ['accept', 'at-store', 'picked-up'], 'calls')
    await rider.failed(ride.page)
    await rider.waiting(ride.page)
    await until('the relay heard that it failed', () => relay.riderCalls.at(-1) === 'failed')
  })

  await check('rider: an offer that ran out can not be accepted', async () => {
    relay.offer(1_500)
    await ride.page.reload()
    await rider.offer(ride.page).waitFor()
    await ride.page.locator('.ring p', { hasText: '0 s' }).waitFor()
    equal(await ride.page.getByRole('button', { name: 'Accept' }).getAttribute('aria-disabled'), 'true', 'the button')
  })

  await check('phones: no script failed', async () => equal(errors, [], 'errors'))
  await ride.context.close()
  await relay.close()
}
