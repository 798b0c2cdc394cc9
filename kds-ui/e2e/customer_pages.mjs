// What a customer does on the phone, by roles and names: for tests against any relay.

export const PHONE = { width: 390, height: 844 }

/** Opens the shop and types where we are. */
export async function openShop(page, url, { lat, lon }) {
  await page.goto(`${url}/order`)
  const typed = page.getByLabel('Or type a position')
  await typed.or(page.getByRole('heading', { name: 'Restaurants near you' })).first().waitFor()
  if ((await typed.count()) > 0) {
    await typed.fill(`${lat}, ${lon}`)
    await page.getByRole('button', { name: 'Show restaurants' }).click()
  }
  await page.getByRole('heading', { name: 'Restaurants near you' }).waitFor()
}

export async function openRestaurant(page, name) {
  await page.getByRole('button', { name }).first().click()
  await page.getByRole('navigation', { name: 'Categories' }).waitFor()
}

/** Puts one thing into the basket; `choices` are names of options. */
export async function add(page, category, item, size, choices = []) {
  await page.getByRole('navigation', { name: 'Categories' }).getByRole('button', { name: category }).first().click()
  await page.getByRole('main').getByRole('button', { name: item }).first().click()
  const sheet = page.getByRole('dialog')
  if (size) await sheet.getByRole('radio', { name: new RegExp(`^${size}\\b`) }).first().click()
  for (const choice of choices) await sheet.getByRole('button', { name: choice }).first().click()
  await sheet.getByRole('button', { name: 'Add to order' }).click()
  await sheet.waitFor({ state: 'detached' })
}

export async function toCheckout(page) {
  await page.getByRole('button', { name: 'View basket' }).last().click()
  await page.getByRole('button', { name: 'Go to checkout' }).click()
  await page.getByRole('heading', { name: 'Who is ordering?' }).waitFor()
}

export async function asGuest(page, name, phone) {
  await page.getByRole('radio', { name: 'As a guest' }).click()
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Phone, for the rider').fill(phone)
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByText(`${name}, as a guest`).waitFor()
}

export async function signUp(page, name, email, password) {
  await page.getByRole('radio', { name: 'New account' }).click()
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Go on' }).click()
  await page.getByText(`Ordering as ${name}`).waitFor()
}

export async function signIn(page, email, password) {
  await page.getByRole('radio', { name: 'Sign in' }).click()
  await page.getByLabel('E-mail').fill(email)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Go on' }).click()
}

export async function deliverTo(page, street, city) {
  await page.getByRole('radio', { name: 'Bring it' }).click()
  await page.getByLabel('Street and number').fill(street)
  await page.getByLabel('City').fill(city)
}

export const collect = (page) => page.getByRole('radio', { name: 'I pick it up' }).click()
export const tip = (page, percent) => page.getByRole('radio', { name: percent === 0 ? 'none' : `${percent} %`, exact: true }).click()
export const card = (page, name = 'Test card that pays') => page.getByRole('radio', { name }).click()

/** The one button at the end; its name carries the price. */
export const payButton = (page) => page.getByRole('button', { name: /^Pay \D*\d/ })

/** Pays, and answers the order's id from the address of its page. */
export async function pay(page) {
  await payButton(page).click()
  return tracked(page)
}

/** Waits for the page of an order. */
export async function tracked(page) {
  await page.waitForURL(/\/order\/mine\/[^/]+$/)
  await steps(page).first().waitFor()
  return new URL(page.url()).pathname.split('/').at(-1)
}

export const steps = (page) => page.locator('.steps > li')
export const stepsDone = (page) => page.locator('.steps > li.done')

/** The number for people, once the kitchen has it. */
export async function numberOf(page) {
  const number = page.locator('.number', { hasText: /^[A-Z]+\d+$/ })
  await number.waitFor()
  return number.innerText()
}

/** Shows what a cancellation gives back. */
export async function askCancel(page) {
  await page.getByRole('button', { name: 'Cancel order' }).click()
  const dialog = page.getByRole('dialog', { name: 'Cancel this order?' })
  await dialog.getByText(/^You get (\D*\d|nothing)/).first().waitFor()
  return dialog
}

export async function confirmCancel(page) {
  const dialog = page.getByRole('dialog', { name: 'Cancel this order?' })
  await dialog.getByRole('button', { name: /^Cancel, / }).click()
  await dialog.waitFor({ state: 'detached' })
}
