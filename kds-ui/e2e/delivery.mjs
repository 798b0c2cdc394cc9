// One delivery in four browsers: the customer pays, the kitchen cooks, the rider brings it, the owner sees it; the relay, the gateway and the node are real.
import { join } from 'node:path'
import { equal } from './checks.mjs'
import { openCloud } from './cloud.mjs'
import * as customer from './customer_pages.mjs'
import { headOf, ownScreens, ticketOf } from './restaurant.mjs'
import * as rider from './rider_pages.mjs'
import { until } from './wait.mjs'

const PLACE = { lat: 52.526, lon: 13.39 }
const HOME = { lat: 52.52, lon: 13.4 }

export async function deliveryChecks(house, check, pictures, browser) {
  const cloud = await openCloud(house, PLACE)
  const errors = []
  async function phone() {
    const context = await browser.newContext({ viewport: customer.PHONE, ignoreHTTPSErrors: true, reducedMotion: 'reduce' })
    context.setDefaultTimeout(15_000)
    await ownScreens(context)
    const page = await context.newPage()
    page.on('pageerror', (error) => errors.push(error.message))
    return { context, page, shot: (name) => page.screenshot({ path: join(pictures, `live-${name}.png`), fullPage: true }) }
  }
  const kitchen = await house.screen('kitchen', 'Line', { width: 1280, height: 800 })
  const owner = await house.screen('staff', 'Owner’s phone', customer.PHONE)
  const [guest, bike] = [await phone(), await phone()]
  let id = ''

  await check('delivery: the relay’s own page leads to customers and riders', async () => {
    await guest.page.goto(cloud.url)
    await guest.page.getByRole('link', { name: 'Order food' }).waitFor()
    await guest.page.getByRole('link', { name: 'Riders' }).waitFor()
    equal(await guest.page.getByRole('link', { name: 'Kitchen display' }).count(), 0, 'doors of the restaurant')
  })

  await check('delivery: the owner reads that it is safe on two', async () => {
    await owner.page.goto(`${house.node.url}/owner`)
    await owner.page.getByText('Safe on 2 devices · online').waitFor()
  })

  await check('delivery: the customer signs up, is shown the price, pays, and the kitchen has it', async () => {
    await customer.openShop(guest.page, cloud.url, HOME)
    await guest.shot('delivery-near')
    await customer.openRestaurant(guest.page, 'Pizzeria Pilota')
    await customer.add(guest.page, 'Classic', 'The Hawaiian Pizza', 'L')
    await customer.add(guest.page, 'Veggie', 'The Four Cheese Pizza', 'M')
    await guest.shot('delivery-menu')
    await customer.toCheckout(guest.page)
    await customer.signUp(guest.page, 'Ana', 'ana@example.org', 'correct horse battery')
    await customer.deliverTo(guest.page, 'Linienstraße 12', 'Berlin')
    await customer.tip(guest.page, 10)
    await customer.payButton(guest.page).waitFor()
    await guest.shot('delivery-checkout')
    id = await customer.pay(guest.page)
    await until('it is confirmed', async () => (await customer.stepsDone(guest.page).count()) >= 2)
    const number = await customer.numberOf(guest.page)
    await ticketOf(kitchen.page, number).waitFor()
    await guest.shot('delivery-confirmed')
    await owner.page.getByRole('region', { name: 'Orders' }).getByRole('button', { name: number }).waitFor()
  })

  await check('delivery: the kitchen bumps it, the rider takes it, the customer has it', async () => {
    await rider.register(bike.page, cloud.url, 'Kofi', '+49 30 99', 'correct horse battery')
    await rider.goOnShift(bike.page, PLACE)
    // A rider is called when the food is nearly ready, not before.
    await headOf(kitchen.page, await customer.numberOf(guest.page)).click()
    await rider.offer(bike.page).waitFor()
    await bike.shot('delivery-offer')
    await rider.accept(bike.page)
    await bike.page.getByRole('button', { name: 'I am at the restaurant' }).waitFor()
    await rider.atStore(bike.page)
    await rider.pickedUp(bike.page)
    await bike.page.getByRole('heading', { name: 'Linienstraße 12, Berlin' }).waitFor()
    await until('it is on the way', async () => (await customer.stepsDone(guest.page).count()) >= 4)
    await guest.shot('delivery-on-the-way')
    await bike.shot('delivery-to-customer')
    await rider.delivered(bike.page)
    await rider.waiting(bike.page)
    await until('it is there', async () => (await customer.stepsDone(guest.page).count()) === 5)
    await guest.shot('delivery-done')
  })

  await check('delivery: cancelled before it is cooked: the refund is shown first, and paid back', async () => {
    await customer.openShop(guest.page, cloud.url, HOME)
    await customer.openRestaurant(guest.page, 'Pizzeria Pilota')
    await customer.add(guest.page, 'Veggie', 'The Four Cheese Pizza', 'L')
    await customer.toCheckout(guest.page)
    const other = await customer.pay(guest.page)
    await until('it is confirmed', async () => (await customer.stepsDone(guest.page).count()) >= 2)
    await customer.askCancel(guest.page)
    await guest.shot('delivery-cancel')
    await customer.confirmCancel(guest.page)
    await guest.page.getByText('goes back to your card').waitFor()
    await guest.shot('delivery-cancelled')
    equal(other === id, false, 'another order')
  })

  await check('delivery: ordered while the restaurant is away: held and said so, confirmed when it is back', async () => {
    await house.kill()
    await until('the relay knows that it is away', async () => !(await cloud.api('GET', `/restaurants?lat=${HOME.lat}&lon=${HOME.lon}`)).restaurants[0].open, 20_000)
    await customer.openShop(guest.page, cloud.url, HOME)
    await guest.page.getByText('not open now').waitFor()
    await guest.shot('delivery-away')
    await customer.openRestaurant(guest.page, 'Pizzeria Pilota')
    await customer.add(guest.page, 'Veggie', 'The Four Cheese Pizza', 'L')
    await customer.toCheckout(guest.page)
    await customer.pay(guest.page)
    await guest.page.getByText('The restaurant has no internet right now').waitFor()
    await guest.shot('delivery-held')
    await house.restart()
    await until('it is confirmed', async () => (await customer.stepsDone(guest.page).count()) >= 2, 40_000)
    await ticketOf(kitchen.page, await customer.numberOf(guest.page)).waitFor({ timeout: 30_000 })
    await owner.page.getByText('Safe on 2 devices · online').waitFor({ timeout: 30_000 })
    await owner.page.screenshot({ path: join(pictures, 'live-delivery-owner.png'), fullPage: true })
  })

  await check('delivery: without the internet the owner reads what works, what waits, and sees the outage', async () => {
    await cloud.cut()
    await house.place([['The Greek Pizza', 'L']])
    const line = owner.page.getByRole('status').filter({ hasText: 'No internet since' })
    await line.filter({ hasText: /[1-9]\d* changes? will sync\. Safe on 1 device\./ }).waitFor({ timeout: 30_000 })
    await owner.page.getByText(/no internet \d\d:\d\d/).waitFor()
    await owner.page.screenshot({ path: join(pictures, 'live-delivery-owner-offline.png'), fullPage: true })
  })

  await check('delivery: no script failed', async () => equal([...errors, ...kitchen.errors, ...owner.errors], [], 'errors'))
  for (const { context } of [guest, bike, kitchen, owner]) await context.close()
  await cloud.close()
}
