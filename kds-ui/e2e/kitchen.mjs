// The kitchen page against the real node.
import { randomUUID } from 'node:crypto'
import { join } from 'node:path'
import { equal } from './checks.mjs'
import { headOf, live, phaseIs, ticketOf } from './restaurant.mjs'
import { until } from './wait.mjs'

export async function kitchenChecks(house, check, pictures) {
  const { page, errors, context } = await house.screen('kitchen', 'Pizza line', { width: 1280, height: 800 })
  const shot = (name) => page.screenshot({ path: join(pictures, `live-${name}.png`) })
  const hawaiian = () => house.place([['The Hawaiian Pizza', 'M', 2, 'cut in eight'], ['The Greek Pizza', 'S']])

  await check('kitchen: a paired screen opens the kitchen, is live and empty', async () => {
    await page.waitForURL('**/kitchen')
    await live(page).waitFor()
    await page.getByRole('heading', { name: 'No open tickets' }).waitFor()
    await shot('kitchen-empty')
  })

  await check('kitchen: the start tap arms the sound', async () => {
    await page.getByRole('button', { name: 'Sound is off' }).click()
    await page.getByRole('button', { name: 'Turn the sound off' }).waitFor()
  })

  await check('kitchen: a new order is on the screen and acknowledged', async () => {
    const order = await house.place([['The Hawaiian Pizza', 'M', 2], ['The Greek Pizza', 'S']], { note: 'Nut allergy' })
    const ticket = ticketOf(page, order.number)
    await ticket.waitFor()
    await ticket.locator('.allergy', { hasText: 'Nut allergy' }).waitFor()
    equal(await ticket.locator('.count').allInnerTexts(), ['2', '1'], 'counts')
    await ticket.getByText('dine-in · T7').waitFor()
    await until('the node knows that a screen shows it', async () => (await house.order(order.id)).tickets.every((each) => each.acknowledged))
    await shot('kitchen-one')
    await headOf(page, order.number).click()
    await phaseIs(house, order.id, 'ready', 0)
  })

  await check('kitchen: a line tapped is done at the node and struck here, tapped again it is not', async () => {
    const order = await hawaiian()
    const line = ticketOf(page, order.number).locator('button.line', { hasText: 'Hawaiian' })
    await line.click()
    equal(await line.getAttribute('aria-pressed'), 'true', 'pressed at once')
    await until('done at the node', async () => (await house.order(order.id)).tickets[0].lines.some((each) => each.done_at !== null))
    await phaseIs(house, order.id, 'started')
    await line.click()
    await until('not done at the node', async () => (await house.order(order.id)).tickets[0].lines.every((each) => each.done_at === null))
    await headOf(page, order.number).click()
    await phaseIs(house, order.id, 'ready')
  })

  await check('kitchen: bump, undo within five seconds, bump again', async () => {
    const order = await hawaiian()
    await headOf(page, order.number).click()
    await phaseIs(house, order.id, 'ready', 0)
    await page.locator('.toast', { hasText: `${order.number} bumped` }).getByRole('button', { name: 'Undo' }).click()
    const ticket = await phaseIs(house, order.id, 'queued', 1)
    equal(ticket.epoch_kind, 'look_again', 'kind of the epoch')
    await page.locator('article:not(.ghost)', { hasText: order.number }).getByText('recalled: look again').waitFor()
    await shot('kitchen-recalled')
    await headOf(page, order.number).click()
    await phaseIs(house, order.id, 'ready', 1)
  })

  await check('kitchen: a double tap is one bump', async () => {
    const order = await hawaiian()
    await headOf(page, order.number).waitFor()
    await headOf(page, order.number).dblclick()
    await phaseIs(house, order.id, 'ready', 0)
    equal(await page.locator('.refusal').count(), 0, 'refusals')
    equal((await house.order(order.id)).tickets[0].epoch, 0, 'epoch')
  })

  await check('kitchen: recalled from the strip, and cooked again', async () => {
    const order = await hawaiian()
    await headOf(page, order.number).click()
    await phaseIs(house, order.id, 'ready')
    const chip = page.locator('footer').getByRole('button', { name: `Look again at ${order.number}` })
    await chip.click()
    await page.getByRole('dialog').getByRole('button', { name: 'Bring back to look at' }).click()
    await phaseIs(house, order.id, 'queued', 1)
    await page.locator('article:not(.ghost)', { hasText: order.number }).locator('[data-head]').click()
    await phaseIs(house, order.id, 'ready', 1)
    await chip.click()
    await shot('kitchen-recall-dialog')
    await page.getByRole('dialog').getByRole('button', { name: 'Cook again' }).click()
    equal((await phaseIs(house, order.id, 'queued', 2)).epoch_kind, 'cook_again', 'kind of the epoch')
    await page.locator('article:not(.ghost)', { hasText: order.number }).getByText('remake: cook again').waitFor()
    await page.locator('article:not(.ghost)', { hasText: order.number }).locator('[data-head]').click()
    await phaseIs(house, order.id, 'ready', 2)
  })

  await check('kitchen: handed over from the ready strip; undo within five seconds sends nothing', async () => {
    const order = await hawaiian()
    await headOf(page, order.number).click()
    await phaseIs(house, order.id, 'ready')
    const chip = page.locator('footer').getByRole('button', { name: `Hand over ${order.number}` })
    await chip.click()
    await page.locator('.toast', { hasText: `${order.number} handed over` }).getByRole('button', { name: 'Undo' }).click()
    await chip.waitFor()
    equal((await house.order(order.id)).status, 'READY_FOR_PICKUP', 'state word after undo')
    await chip.click()
    await until('completed', async () => (await house.order(order.id)).status === 'COMPLETED', 15_000)
    await chip.waitFor({ state: 'detached' })
  })

  await check('kitchen: changed and void lines wait for a tap, and so does the bump', async () => {
    const order = await hawaiian()
    await ticketOf(page, order.number).waitFor()
    const greek = order.lines.find((each) => each.name.includes('Greek'))
    const two = order.lines.find((each) => each.name.includes('Hawaiian'))
    await house.api('POST', `/orders/${order.id}/amendments`, {
      id: randomUUID(),
      void: [{ line: greek.id, why: 'guest changed their mind' }, { line: two.id, why: 'one more' }],
      add: [{ line: { id: randomUUID(), item: two.item, variant: two.variant, quantity: 3, choices: [], note: null }, replaces: two.id }],
    })
    const ticket = ticketOf(page, order.number)
    const changed = ticket.locator('button.changed.unseen')
    await changed.waitFor()
    equal((await changed.locator('.was').innerText()).replace(/\s+/g, ' ').trim(), '2 → 3', 'old against new')
    equal(await ticket.locator('button.voided').count(), 1, 'void lines: the one that was replaced is told by 2 → 3')
    const voided = ticket.locator('button.voided.unseen', { hasText: 'guest changed their mind' })
    await voided.getByText('tap to confirm').waitFor()
    await shot('kitchen-changed')
    await headOf(page, order.number).click()
    await page.locator('.toast', { hasText: 'look at the marked lines first' }).waitFor()
    equal((await house.order(order.id)).tickets[0].phase === 'ready', false, 'bumped with unseen lines')
    for (;;) {
      const unseen = ticket.locator('button.unseen').first()
      if ((await ticket.locator('button.unseen').count()) === 0) break
      await unseen.click()
    }
    await until('seen at the node', async () => (await house.order(order.id)).tickets[0].lines.every((each) => each.change === null || each.change.seen))
    await headOf(page, order.number).click()
    await phaseIs(house, order.id, 'ready')
  })

  await check('kitchen: a cancelled order waits to be seen, then is bumped away', async () => {
    const order = await hawaiian()
    await ticketOf(page, order.number).waitFor()
    await house.api('POST', `/orders/${order.id}/cancellation`, { why: 'guest left' })
    const ticket = page.locator('article:not(.ghost)', { hasText: order.number })
    await until('void lines, or the ticket has gone', async () => (await ticket.locator('button.voided.unseen').count()) === 2 || (await ticket.count()) === 0)
    await shot('kitchen-cancelled')
    while ((await ticket.locator('button.unseen').count()) > 0) await ticket.locator('button.unseen').first().click()
    if ((await ticket.count()) > 0) await ticket.locator('[data-head]').click()
    await ticket.waitFor({ state: 'detached' })
    equal(await page.locator('.refusal').count(), 0, 'refusals')
  })

  await check('kitchen: by keyboard alone: move, line done, bump, recall, all-day, undo', async () => {
    // What the checks before bumped still fades in its place, with its number, until hands have been away for two seconds.
    await until('the board has closed up', async () => (await page.locator('article.ghost').count()) === 0)
    const first = await hawaiian()
    const second = await house.place([['The Italian Supreme Pizza', 'L']])
    await ticketOf(page, second.number).waitFor()
    await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur())
    const focused = () => page.evaluate(() => document.activeElement?.closest('[data-key]')?.querySelector('.number')?.textContent?.replace('Bump', '').trim())
    await page.keyboard.press('ArrowRight')
    equal(await focused(), first.number, 'first')
    await page.keyboard.press('ArrowRight')
    equal(await focused(), second.number, 'second')
    await page.keyboard.press('ArrowDown')
    await page.keyboard.press('Enter')
    await until('line done', async () => (await house.order(second.id)).tickets[0].lines[0].done_at !== null)
    await page.keyboard.press('1')
    await phaseIs(house, first.id, 'ready', 0)
    await page.keyboard.press('r')
    await phaseIs(house, first.id, 'queued', 1)
    await page.keyboard.press('a')
    await page.getByRole('complementary', { name: 'All day' }).getByText('Hawaiian').waitFor()
    await shot('kitchen-all-day')
    await page.keyboard.press('a')
    await page.getByRole('complementary', { name: 'All day' }).waitFor({ state: 'detached' })
    await page.keyboard.press('1')
    await phaseIs(house, first.id, 'ready', 1)
    await page.keyboard.press('u')
    await phaseIs(house, first.id, 'queued', 2)
    await until('both on the board', async () => (await page.locator('.tickets article:not(.ghost)').count()) === 2)
    // A bumped ticket keeps its place, and so its number, while it fades: the next press hits what the cook saw.
    await page.keyboard.press('1')
    await page.keyboard.press('2')
    await phaseIs(house, first.id, 'ready')
    await phaseIs(house, second.id, 'ready')
  })

  await check('kitchen: two tabs show one board, and the same bump in both is one', async () => {
    const other = await context.newPage()
    await other.goto(`${house.node.url}/kitchen`)
    const order = await hawaiian()
    await ticketOf(page, order.number).waitFor()
    await ticketOf(other, order.number).waitFor()
    // At once, without Playwright's waiting for the button to be enabled: the faster tab's bump disables the slower one's.
    await Promise.all([page, other].map((tab) => headOf(tab, order.number).evaluate((head) => head.click())))
    await phaseIs(house, order.id, 'ready', 0)
    for (const tab of [page, other]) {
      await tab.locator('article:not(.ghost)', { hasText: order.number }).waitFor({ state: 'detached' })
      equal(await tab.locator('.refusal').count(), 0, 'refusals')
    }
    await other.close()
  })

  await check('kitchen: an item is taken off every menu and put back', async () => {
    await page.getByRole('button', { name: '86' }).click()
    await page.getByPlaceholder('Find an item').fill('greek')
    await page.getByRole('dialog').getByRole('button', { name: 'The Greek Pizza' }).click()
    await until('off at the node', async () => (await house.api('GET', '/availability')).unavailable.some((each) => each.reason === 'eighty_six'))
    await page.getByRole('dialog').getByText('Put back').waitFor()
    await shot('kitchen-86')
    await page.getByRole('dialog').getByRole('button', { name: 'The Greek Pizza' }).click()
    await until('back at the node', async () => !(await house.api('GET', '/availability')).unavailable.some((each) => each.reason === 'eighty_six'))
    await page.keyboard.press('Escape')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  await check('kitchen: orders from home are paused with a tap, the time that is left is shown, and they are opened again', async () => {
    const paused = async () => (await house.api('GET', '/online')).intake.paused_until !== null
    await page.getByRole('button', { name: 'Online' }).click()
    await page.getByRole('dialog').getByRole('button', { name: '30 min', exact: true }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByText('Opens by itself in 30 min').waitFor()
    equal(await paused(), true, 'paused at the node')
    await shot('kitchen-paused')
    await page.getByRole('button', { name: 'Open again now' }).click()
    await page.getByText('Opens by itself').waitFor({ state: 'detached' })
    equal(await paused(), false, 'paused at the node')
  })

  await check('kitchen: a person signs in by PIN; a wrong one is told', async () => {
    await house.api('POST', '/staff', { name: 'Ana', role: 'staff', pin: '2468' })
    await page.getByRole('toolbar').getByRole('button', { name: 'More' }).click()
    await page.getByRole('button', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Ana' }).click()
    const type = async (pin) => {
      for (const digit of pin) await page.getByRole('dialog').getByRole('button', { name: digit, exact: true }).click()
      await page.getByRole('dialog').getByRole('button', { name: 'Sign in' }).click()
    }
    await type('1111')
    await page.getByRole('alert').waitFor()
    await type('2468')
    await page.getByRole('dialog').waitFor({ state: 'detached' })
    await page.getByRole('toolbar').getByRole('button', { name: 'More' }).click()
    await page.getByRole('button', { name: 'Sign out Ana' }).click()
    await page.getByRole('dialog').waitFor({ state: 'detached' })
  })

  await check('kitchen: alike orders stand under one header with totals, and the cook splits them', async () => {
    const orders = []
    for (let count = 0; count < 3; count += 1) orders.push(await house.place([['The Hawaiian Pizza', 'L', 2]]))
    await page.locator('.group', { hasText: '3 orders alike' }).getByText('6').waitFor()
    await shot('kitchen-alike')
    await page.locator('.group').getByRole('button', { name: 'Split' }).click()
    await page.locator('.group').waitFor({ state: 'detached' })
    for (const order of orders) await page.locator('article:not(.ghost)', { hasText: order.number }).locator('[data-head]').click()
    for (const order of orders) await phaseIs(house, order.id, 'ready')
  })

  await check('kitchen: a revoked screen says that it needs a person', async () => {
    const device = (await house.api('GET', '/devices')).devices.find((each) => each.name === 'Pizza line')
    await house.api('DELETE', `/devices/${device.id}`)
    await page.reload()
    await page.locator('.banner.person', { hasText: 'not paired any more' }).waitFor()
    await shot('kitchen-revoked')
    await page.getByRole('button', { name: 'Pair again' }).click()
    await page.getByRole('heading', { name: 'Pair this screen' }).waitFor()
    await page.getByLabel('Code').fill('NOPE-NOPE')
    await page.getByLabel('Name of this screen').fill('x')
    await page.getByRole('button', { name: 'Pair' }).click()
    await page.getByRole('alert').waitFor()
    await shot('pair-refused')
  })

  await check('kitchen: no script failed', async () => equal(errors, [], 'errors'))
  await context.close()
}
