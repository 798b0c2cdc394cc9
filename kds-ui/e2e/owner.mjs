// The owner's phone against the real node.
import { join } from 'node:path'
import { equal } from './checks.mjs'
import { joinNode, startNode } from './node.mjs'
import { until } from './wait.mjs'

const PHONE = { width: 390, height: 844 }
const dollars = (minor) => `$${(minor / 100).toLocaleString('en', { minimumFractionDigits: 2 })}`

export async function ownerChecks(house, check, pictures) {
  const owner = await house.screen('staff', 'Owner’s phone', PHONE)
  const { page } = owner
  const shot = (name) => page.screenshot({ path: join(pictures, `live-${name}.png`), fullPage: true })
  const section = (name) => page.getByRole('region', { name })
  const rows = () => section('Orders').getByRole('listitem')

  await check('owner: a day without orders', async () => {
    await page.goto(`${house.node.url}/owner`)
    await section('Sales today').getByText('Nothing sold yet today').waitFor()
    await section('Stock').getByRole('listitem').first().waitFor()
    await page.getByText(/^Working alone|^Safe on/).waitFor()
    await shot('owner-empty')
  })

  await check('owner: orders and their sum appear by themselves', async () => {
    const placed = [await house.place([['The Hawaiian Pizza', 'M', 2]]), await house.place([['The Greek Pizza', 'L']]), await house.place([['The Italian Supreme Pizza', 'L']])]
    const sum = placed.reduce((total, order) => total + order.total_minor, 0)
    await section('Sales today').getByText(dollars(sum), { exact: true }).first().waitFor()
    await section('Sales today').getByText('3 orders').waitFor()
    equal(await rows().count(), 3, 'orders shown')
    await shot('owner-orders')
    await page.getByLabel('Find by number').fill(placed[1].number)
    await until('one is left', async () => (await rows().count()) === 1)
    await section('Orders').getByRole('button', { name: placed[1].number }).click()
    const sheet = page.getByRole('dialog', { name: `Order ${placed[1].number}` })
    await sheet.getByText('The Greek Pizza').first().waitFor()
    await sheet.getByText('What happened').waitFor()
    const log = sheet.locator('section', { has: page.getByRole('heading', { name: 'Who did what' }) })
    await log.getByText('placed The Greek Pizza').waitFor()
    equal(await log.getByText('had no effect').count(), 0, 'nothing was in vain')
    await shot('owner-order')
    await sheet.getByRole('button', { name: 'Close' }).click()
    await page.getByLabel('Find by number').fill('')
  })

  await check('owner: a cancelled order is no sale', async () => {
    const [last] = await house.orders()
    const sold = (await house.orders()).reduce((total, order) => total + order.total_minor, 0)
    await house.api('POST', `/orders/${last.id}/cancellation`, { why: 'the guest left' })
    await section('Sales today').getByText(dollars(sold - last.total_minor), { exact: true }).first().waitFor()
    await section('Sales today').getByText('1 cancelled').waitFor()
  })

  await check('owner: 86 with one tap, taken back with undo', async () => {
    await page.getByRole('button', { name: 'Sold out (86)' }).click()
    await page.getByRole('dialog').getByRole('searchbox').fill('Greek')
    await page.getByRole('dialog').getByRole('button', { name: 'The Greek Pizza' }).click()
    await page.getByText('The Greek Pizza is off every menu').waitFor()
    const off = async () => (await house.api('GET', '/availability')).unavailable.some(({ reason }) => reason === 'eighty_six')
    equal(await off(), true, 'off at the node')
    await shot('owner-undo')
    await page.getByRole('button', { name: 'Undo' }).click()
    await until('it is back', async () => !(await off()))
    await page.getByText('The Greek Pizza is back').waitFor()
  })

  await check('owner: orders from home are paused and more minutes promised with one tap each, and opened again', async () => {
    const online = section('From home')
    const intake = async () => (await house.api('GET', '/online')).intake
    await online.getByRole('button', { name: '15 min', exact: true }).click()
    await online.getByText('Orders from home are paused.').waitFor()
    await online.getByText('Opens by itself in 15 min').waitFor()
    await online.getByRole('button', { name: '+20 min' }).click()
    await until('busy at the node', async () => (await intake()).busy_minutes === 20)
    await shot('owner-paused')
    // The counter goes on.
    await house.place([['The Hawaiian Pizza', 'M']])
    await until('it is listed', async () => (await rows().count()) === 4)
    await online.getByRole('button', { name: 'Open again now' }).click()
    await online.getByText('Orders from home come in').waitFor()
    equal((await intake()).paused_until, null, 'paused until')
    await online.getByRole('button', { name: 'As usual' }).click()
    await until('as usual at the node', async () => (await intake()).busy_minutes === 0)
  })

  await check('owner: the node away is said once, what was known stays, and all is well after', async () => {
    await house.kill()
    await page.getByText('No answer from the node since').waitFor({ timeout: 30_000 })
    equal(await rows().count(), 4, 'orders shown')
    await shot('owner-away')
    await house.restart()
    await page.getByText(/^Working alone|^Safe on/).waitFor({ timeout: 30_000 })
  })

  await check('owner: what two nodes wrote at the same time is seen, and settled with one tap at both', async () => {
    const item = (await house.menu()).items.find(({ name }) => name === 'The Greek Pizza')
    const described = async (at) => (await at.api('GET', '/menu', undefined, house.admin.token)).items.find(({ id }) => id === item.id).description
    const write = (at, description) => at.api('PATCH', `/items/${item.id}`, { description }, house.admin.token)
    const manager = await house.screen('manager', 'Manager’s phone', PHONE)
    let bar = await joinNode(await house.api('POST', '/siblings/codes', {}))
    try {
      // Each writes while the other is off: neither has heard of it.
      await until('the bar has the menu', async () => (await described(bar)) === item.description, 30_000)
      await house.kill()
      await write(bar, 'As the bar says it')
      await bar.kill()
      await house.restart()
      await write(house.node, 'As the counter says it')
      await manager.page.goto(`${house.node.url}/owner`)
      await manager.page.getByRole('region', { name: 'Stock' }).getByRole('listitem').first().waitFor()
      equal(await manager.page.getByRole('region', { name: 'Menu: which is right?' }).count(), 0, 'nothing to settle yet')
      bar = await startNode({ home: bar.home, url: bar.url })
      const card = manager.page.getByRole('region', { name: 'Menu: which is right?' })
      await card.getByText('The Greek Pizza').waitFor({ timeout: 30_000 })
      await manager.page.getByText('1 thing on the menu changed in two places').waitFor()
      await manager.page.screenshot({ path: join(pictures, 'live-owner-conflict.png'), fullPage: true })
      const [{ values }] = (await house.api('GET', '/menu/conflicts')).conflicts
      equal(values.map(({ text }) => text).sort(), ['As the bar says it', 'As the counter says it'], 'both are kept')
      equal(await described(house.node), values[0].text, 'shown')
      await card.getByRole('button', { name: `Keep ${values[1].text}` }).click()
      await manager.page.getByText('The Greek Pizza is settled').waitFor()
      await card.waitFor({ state: 'detached' })
      equal((await house.api('GET', '/menu/conflicts')).conflicts, [], 'conflicts')
      await until('both show what was kept', async () => (await described(house.node)) === values[1].text && (await described(bar)) === values[1].text, 30_000)
      equal(manager.errors, [], 'errors')
    } finally {
      await manager.context.close()
      await bar.stop()
    }
  })

  await check('owner: no script failed', async () => equal(owner.errors, [], 'errors'))
  await owner.context.close()
}
