// What a rider does on the phone, by roles and names: for tests against any relay.

export async function register(page, url, name, phone, password) {
  await page.goto(`${url}/ride`)
  await page.getByRole('radio', { name: 'Become a rider' }).click()
  await page.getByLabel('Name').fill(name)
  await page.getByLabel('Phone').fill(phone)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Become a rider' }).click()
  await page.getByRole('button', { name: 'Go on shift' }).waitFor()
}

export async function signIn(page, url, phone, password) {
  await page.goto(`${url}/ride`)
  await page.getByRole('radio', { name: 'Sign in' }).click()
  await page.getByLabel('Phone').fill(phone)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Sign in' }).click()
}

/** With the browser's own position, or the typed one where it tells none. */
export async function goOnShift(page, { lat, lon }) {
  await page.getByRole('button', { name: 'Go on shift' }).click()
  const typed = page.getByLabel('Position')
  await typed.or(page.getByRole('heading', { name: 'Waiting for a trip' })).or(page.getByRole('button', { name: 'Accept' })).first().waitFor()
  if ((await typed.count()) > 0) {
    await typed.fill(`${lat}, ${lon}`)
    await page.getByRole('button', { name: 'Go on shift' }).click()
  }
}

export const offer = (page) => page.getByRole('timer')
export const accept = (page) => page.getByRole('button', { name: 'Accept' }).click()
export const decline = (page) => page.getByRole('button', { name: 'Decline' }).click()
export const atStore = (page) => page.getByRole('button', { name: 'I am at the restaurant' }).click()
export const pickedUp = (page) => page.getByRole('button', { name: 'I have it' }).click()
export const delivered = (page) => page.getByRole('button', { name: 'Delivered', exact: true }).click()
export const waiting = (page) => page.getByRole('heading', { name: 'Waiting for a trip' }).waitFor()

export async function failed(page, why = 'Nobody opens') {
  await page.getByRole('button', { name: 'It can not be delivered' }).click()
  await page.getByRole('dialog', { name: 'Why not?' }).getByRole('button', { name: why }).click()
}
