import { beforeEach, describe, expect, it } from 'vitest'
import type { PairedJson } from './generated/api'
import { route } from './router'
import { afterAnswer, check } from './screens/pair/model'
import { deviceFor, devices, forget, remember, screenFor, setSignedIn, signedIn } from './session'
import { ar, en, languages, wordsFor } from './words'

const paired = (role: PairedJson['role']): PairedJson => ({ token: `t-${role}`, device: 'd', name: role, role, site_name: 'Pilota' })

describe('devices', () => {
  beforeEach(() => localStorage.clear())
  it('one browser may be a kiosk and a kitchen at once', () => {
    remember(paired('customer'))
    remember(paired('kitchen'))
    expect(deviceFor('kiosk', devices())?.token).toBe('t-customer')
    expect(deviceFor('kitchen', devices())?.token).toBe('t-kitchen')
    forget('kitchen')
    expect(deviceFor('kitchen', devices())).toBeNull()
  })
  it('the narrowest role that fits is taken', () => {
    remember(paired('admin'))
    remember(paired('staff'))
    expect(deviceFor('kiosk', devices())?.role).toBe('staff')
  })
  it('a broken memory is no memory', () => {
    localStorage.setItem('pilotlight.devices', '{')
    expect(devices()).toEqual({})
  })
  it('a kiosk opens the kiosk; who may do all chooses', () => {
    expect([screenFor('customer'), screenFor('kitchen'), screenFor('admin')]).toEqual(['kiosk', 'kitchen', null])
  })
  it('a person is signed in until the time is over', () => {
    const person = { token: 'p', staff: { id: 's', name: 'Ana', role: 'staff' as const }, expires_at: 100 }
    setSignedIn(person)
    expect(signedIn(99)).toEqual(person)
    expect(signedIn(100)).toBeNull()
    setSignedIn(null)
    expect(signedIn(0)).toBeNull()
  })
})

it.each([
  ['/', { screen: 'home' }],
  ['/nonsense', { screen: 'home' }],
  ['/kitchen?station=fry', { screen: 'kitchen', station: 'fry' }],
  ['/kiosk', { screen: 'kiosk' }],
  ['/pair?code=K7&next=/kitchen', { screen: 'pair', code: 'K7', next: '/kitchen' }],
  ['/stories/kitchen-one', { screen: 'stories', story: 'kitchen-one' }],
])('the address %s', (path, expected) => expect(route(new URL(path, 'https://node.local'))).toMatchObject(expected))

describe('pairing', () => {
  const problem = { type: '', title: '', status: 403, code: 'code_unknown', detail: 'No such code.', field: null, remedy: null }
  it.each([
    [afterAnswer({ kind: 'ok', value: paired('kitchen'), etag: null }, en), { state: 'paired' }],
    [afterAnswer({ kind: 'refused', problem }, en), { state: 'problem', text: 'No such code.', hint: en.pairRefusedHint }],
    [afterAnswer({ kind: 'away' }, en), { state: 'problem', text: en.pairAway }],
    [check(' ', 'x', en), { state: 'problem', text: en.pairMissing }],
    [check('K7', 'x', en), { state: 'asking' }],
  ])('%#', (state, expected) => expect(state).toMatchObject(expected))
})

describe('words', () => {
  it('fall back to English', () => {
    expect(wordsFor('ar')).toBe(ar)
    expect(wordsFor('xx')).toBe(en)
    expect(languages.map(({ language }) => language)).toEqual(['en', 'ar'])
  })
  it('say what a group asks for', () => {
    expect([en.choose(0, 1), en.choose(0, 3), en.choose(1, 1), en.choose(1, 2)]).toEqual(['choose up to 1', 'choose up to 3', 'choose 1', 'choose 1–2'])
  })
})
