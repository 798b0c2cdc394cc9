// The kiosk page against the real node.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { equal } from './checks.mjs'
import { ticketOf } from './restaurant.mjs'
import { PIZZA_CSV } from './node.mjs'
import { until } from './wait.mjs'

export const numberOn = async (page) => (await page.locator('.placed .number').innerText()).trim()

/** Chooses one thing as a guest does. */
export async function choose(page, category, item, size) {
  await page.getByRole('navigation', { name: 'Categories' }).getByRole('button', { name: category }).click()
  await page.getByRole('button', { name: item }).click()
  if (size) await page.getByRole('radio', { name: size }).click()
  await page.getByRole('button', { name: 'Add to order' }).click()
  await page.getByRole('dialog').waitFor({ state: 'detached' })
}

export async function kioskChecks(house, check, pictures) {
  const kitchen = await house.screen('kitchen', 'Line', { width: 1280, height: 800 })
  // Requests are held up and cut here on their way to the node, which a service worker would hide from the test.
  const { page, errors, context } = await house.screen('customer', 'Kiosk 1', { width: 1080, height: 1920 }, { serviceWorkers: 'block' })
  const shot = (name) => page.screenshot({ path: join(pictures, `live-${name}.png`) })
  const menu = await house.menu()
  const hawaiian = menu.items.find(({ name }) => name === 'The Hawaiian Pizza')

  await check('kiosk: from the welcome to a number that the kitchen shows', async () => {
    await page.waitForURL('**/kiosk')
    await page.getByRole('heading', { name: 'Order here' }).waitFor()
    await until('the menu is there', () => page.locator('.wall div').count())
    await shot('kiosk-welcome')
    await page.getByRole('button', { name: 'Eat here' }).click()
    await shot('kiosk-menu')
    await choose(page, 'Classic', 'The Hawaiian Pizza', 'L')
    await choose(page, 'Classic', 'The Hawaiian Pizza', 'L')
    await choose(page, 'Veggie', 'The Four Cheese Pizza', 'M')
    await page.locator('.bar').getByText('3 items').waitFor()
    await page.getByRole('button', { name: 'View order' }).click()
    await shot('kiosk-cart')
    await page.getByRole('button', { name: 'Order, pay at the counter' }).click()
    await page.locator('.placed .number').waitFor()
    await shot('kiosk-placed')
    const number = await numberOn(page)
    const order = await house.byNumber(number)
    equal([order.channel, order.fulfilment, order.lines.map(({ quantity }) => quantity)], ['kiosk', 'dine_in', [2, 1]], 'the order at the node')
    const dollars = `$${(order.due_minor / 100).toFixed(2)}`
    await page.getByText(`Please pay ${dollars} at the counter`).waitFor()
    await ticketOf(kitchen.page, number).waitFor()
    await page.getByRole('button', { name: 'New order' }).click()
    await page.getByRole('heading', { name: 'Order here' }).waitFor()
  })

  await check('kiosk: a required choice is asked for by name, and the price runs along', async () => {
    await page.getByRole('button', { name: 'Take away' }).click()
    const needs = menu.items.find((item) => item.groups.some((id) => (menu.groups.find((group) => group.id === id)?.min ?? 0) > 0))
    const item = needs ?? hawaiian
    const category = menu.categories.find(({ id }) => id === item.category)
    await page.getByRole('navigation', { name: 'Categories' }).getByRole('button', { name: category.name }).click()
    await page.getByRole('button', { name: item.name }).click()
    await page.getByRole('button', { name: 'Add to order' }).click()
    await page.locator('section.wanted').waitFor()
    await shot('kiosk-item-missing')
    await page.getByRole('button', { name: 'Close' }).click()
    await choose(page, 'Classic', 'The Hawaiian Pizza', 'S')
    const small = hawaiian.variants.find(({ name }) => name === 'S').price_minor
    equal(await page.locator('.bar .sum').innerText(), `$${(small / 100).toFixed(2)}`, 'sum')
  })

  await check('kiosk: a line is removed and brought back', async () => {
    await page.getByRole('button', { name: 'View order' }).click()
    await page.getByRole('button', { name: 'Remove The Hawaiian Pizza' }).click()
    await page.getByText('Nothing in your order yet').waitFor()
    await page.getByRole('button', { name: 'Undo' }).click()
    await page.getByRole('button', { name: 'Remove The Hawaiian Pizza' }).waitFor()
  })

  await check('kiosk: sold out between the look and the order: said by line, and nothing was ordered', async () => {
    const before = (await house.orders()).length
    const staff = house.admin.token
    await page.route('**/api/v1/orders', async (route) => {
      await house.api('PUT', `/items/${hawaiian.id}/availability`, { available: false, until: null }, staff)
      await route.continue()
    })
    await page.getByRole('button', { name: 'Order, pay at the counter' }).click()
    await page.getByRole('alert').getByText('Something is just sold out').waitFor()
    await page.getByText('Sold out. Remove it or choose another.').waitFor()
    await shot('kiosk-sold-out')
    equal((await house.orders()).length, before, 'orders at the node')
    equal(await page.locator('.placed').count(), 0, 'numbers shown')
    await page.unroute('**/api/v1/orders')
    await page.getByRole('button', { name: 'Back' }).click()
    await page.locator('.card.out', { hasText: 'The Hawaiian Pizza' }).getByText('Sold out').waitFor()
    await house.api('PUT', `/items/${hawaiian.id}/availability`, { available: true, until: null })
    await page.locator('.card.out').waitFor({ state: 'detached' })
  })

  await check('kiosk: a price that changed meanwhile is shown and asked again', async () => {
    await page.getByRole('button', { name: 'View order' }).click()
    if ((await page.getByText('Sold out. Remove it').count()) > 0) {
      await page.getByRole('button', { name: 'Remove The Hawaiian Pizza' }).click()
      await page.getByRole('button', { name: 'Back' }).click()
      await choose(page, 'Classic', 'The Hawaiian Pizza', 'S')
      await page.getByRole('button', { name: 'View order' }).click()
    }
    const csv = readFileSync(PIZZA_CSV, 'utf8').replace(/^(hawaiian,[^,]*,S,).*$/m, '$111.11')
    await page.route('**/api/v1/orders', async (route) => {
      await house.api('POST', '/menu/imports?format=pizzaplace', csv)
      await route.continue()
    })
    await page.getByRole('button', { name: 'Order, pay at the counter' }).click()
    await page.getByRole('alert').getByText('A price has changed').waitFor()
    await page.unroute('**/api/v1/orders')
    await page.locator('.total strong', { hasText: '$11.11' }).waitFor()
    await shot('kiosk-price-changed')
    await page.getByRole('button', { name: 'Order, pay at the counter' }).click()
    await page.locator('.placed .number').waitFor()
    equal((await house.byNumber(await numberOn(page))).total_minor, 1111, 'total at the node')
    await page.getByRole('button', { name: 'New order' }).click()
  })

  await check('kiosk: a double tap on order is one order', async () => {
    const before = (await house.orders()).length
    await page.getByRole('button', { name: 'Take away' }).click()
    await choose(page, 'Veggie', 'The Four Cheese Pizza', 'L')
    await page.getByRole('button', { name: 'View order' }).click()
    await page.getByRole('button', { name: 'Order, pay at the counter' }).dblclick()
    await page.locator('.placed .number').waitFor()
    equal((await house.orders()).length, before + 1, 'orders at the node')
    await page.getByRole('button', { name: 'New order' }).click()
  })

  await check('kiosk: the answer is lost on the way: sent again under the same id, one order', async () => {
    const before = (await house.orders()).length
    await page.getByRole('button', { name: 'Take away' }).click()
    await choose(page, 'Veggie', 'The Four Cheese Pizza', 'L')
    await page.getByRole('button', { name: 'View order' }).click()
    let sent = 0
    await page.route('**/api/v1/orders', async (route) => {
      sent += 1
      if (sent > 1) return route.continue()
      await route.fetch()
      return route.abort('connectionreset')
    })
    await page.getByRole('button', { name: 'Order, pay at the counter' }).click()
    await page.locator('.placed .number').waitFor()
    await page.unroute('**/api/v1/orders')
    equal(sent, 2, 'times sent')
    equal((await house.orders()).length, before + 1, 'orders at the node')
    await page.getByRole('button', { name: 'New order' }).click()
  })

  await check('kiosk: what was chosen survives a reload', async () => {
    await page.getByRole('button', { name: 'Take away' }).click()
    await choose(page, 'Veggie', 'The Four Cheese Pizza', 'M')
    await page.locator('.bar').getByText('1 item').waitFor()
    await page.reload()
    await page.locator('.bar').getByText('1 item').waitFor()
    await page.getByRole('button', { name: 'Start over' }).click()
  })

  await check('kiosk: by keyboard alone, from the welcome to the number', async () => {
    const press = async (name, role = 'button') => {
      const target = page.getByRole(role, { name }).first()
      await target.waitFor()
      for (let tabs = 0; tabs < 60; tabs += 1) {
        if (await target.evaluate((element) => element === document.activeElement)) return page.keyboard.press('Enter')
        await page.keyboard.press('Tab')
      }
      throw new Error(`${name} was not reached by Tab`)
    }
    await press('Eat here')
    await press('Veggie')
    await press('The Four Cheese Pizza')
    await press('M', 'radio')
    await press('Add to order')
    await press('View order')
    await press('Order, pay at the counter')
    await page.locator('.placed .number').waitFor()
    await press('New order')
  })

  await check('kiosk: right to left, in Arabic, and lowered for reach', async () => {
    await page.getByRole('button', { name: 'العربية' }).click()
    equal(await page.evaluate(() => document.documentElement.dir), 'rtl', 'direction')
    await page.getByRole('button', { name: 'أنزل الشاشة' }).click()
    await page.getByRole('button', { name: 'الأكل هنا' }).click()
    await page.locator('.grid .card').first().waitFor()
    const tops = await page.locator('button:visible').evaluateAll((buttons) => buttons.map((button) => button.getBoundingClientRect()).filter(({ height }) => height > 0).map(({ top }) => top))
    equal(Math.min(...tops) >= 1920 - 1000, true, `everything to touch is in the lower 1,000 px (highest at ${Math.min(...tops)})`)
    await shot('kiosk-reach-rtl')
    await page.getByRole('button', { name: 'ارفع الشاشة' }).click()
    await page.getByRole('button', { name: 'ابدأ من جديد' }).click()
    await page.getByRole('button', { name: 'Eat here' }).waitFor()
    equal(await page.evaluate(() => document.documentElement.dir), 'ltr', 'direction for the next guest')
  })

  await check('kiosk: a guest who leaves is asked, then forgotten', async () => {
    const clock = await context.newPage()
    await clock.clock.install()
    await clock.goto(`${house.node.url}/kiosk`)
    await clock.getByRole('button', { name: 'Take away' }).click()
    await choose(clock, 'Veggie', 'The Four Cheese Pizza', 'M')
    await clock.clock.runFor(61_000)
    await clock.getByRole('dialog', { name: 'Are you still there?' }).waitFor()
    await clock.screenshot({ path: join(pictures, 'live-kiosk-idle.png') })
    await clock.getByRole('button', { name: 'Go on ordering' }).click()
    await clock.locator('.bar').getByText('1 item').waitFor()
    await clock.clock.runFor(77_000)
    await clock.getByRole('heading', { name: 'Order here' }).waitFor()
    await clock.close()
  })

  await check('kiosk: no script failed', async () => equal([...errors, ...kitchen.errors], [], 'errors'))
  await context.close()
  await kitchen.context.close()
}
