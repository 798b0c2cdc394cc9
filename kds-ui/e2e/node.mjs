// The real node: started, killed and asked, as a restaurant would.
import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './wait.mjs'

const FIXTURES = fileURLToPath(new URL('../../tests/fixtures/', import.meta.url))
const MENUS = ['pizzaplace_menu_variants.csv', 'tastyigniter_menu_options.json', 'tastyigniter_menus.json'].map((name) => join(FIXTURES, name))

export const PIZZA_CSV = MENUS[0]

export async function startNode(previous) {
  const binary = process.env.PILOTLIGHT_NODE_BIN
  if (!binary || !existsSync(binary)) throw new Error('set PILOTLIGHT_NODE_BIN to the node to test, for example target/debug/pilotlight-node')
  const home = previous?.home ?? mkdtempSync(join(tmpdir(), 'pilotlight-e2e-'))
  const ready = join(home, 'ready.json')
  rmSync(ready, { force: true })
  mkdirSync(home, { recursive: true })
  const listen = previous ? new URL(previous.url).host : '127.0.0.1:0'
  const seeds = previous ? [] : MENUS.flatMap((file) => ['--seed-menu', file])
  const child = spawn(binary, ['run', '--data', join(home, 'data'), '--listen', listen, '--ready-file', ready, '--name', 'Pizzeria Pilota', ...seeds], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, RUST_LOG: 'warn' },
  })
  const said = []
  child.stdout.on('data', (data) => said.push(String(data)))
  child.stderr.on('data', (data) => said.push(String(data)))
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const told = await until('the node is ready', () => {
    if (child.exitCode !== null) throw new Error(`the node ended with ${child.exitCode}:\n${said.join('')}`)
    if (!existsSync(ready)) return null
    try {
      return JSON.parse(readFileSync(ready, 'utf8'))
    } catch {
      return null // Half written.
    }
  }, 30_000)
  const ca = readFileSync(told.ca)
  return {
    home,
    url: told.url,
    ca: told.ca,
    adminCode: told.admin_code,
    api: (method, path, body, token) => call(told.url, ca, method, path, body, token),
    /** As if the plug were pulled: this one process, by its id. */
    async kill() {
      process.kill(child.pid, 'SIGKILL')
      await gone
    },
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await gone
      clearTimeout(timer)
      rmSync(home, { recursive: true, force: true })
    },
  }
}

/** A second node of the same restaurant, joined with a code of the first; its own disk, its own address. */
export async function joinNode(asked) {
  const home = mkdtempSync(join(tmpdir(), 'pilotlight-e2e-'))
  const ca = join(home, 'ca.pem')
  writeFileSync(ca, asked.ca_pem)
  const joined = spawnSync(process.env.PILOTLIGHT_NODE_BIN, ['join', '--data', join(home, 'data'), '--with', asked.url, '--code', asked.code, '--ca', ca], { timeout: 30_000, encoding: 'utf8' })
  if (joined.status !== 0) throw new Error(`the second node did not join:\n${joined.stdout}${joined.stderr}`)
  return startNode({ home, url: 'https://127.0.0.1:0' })
}

/** One request to a program of ours, with its own CA. */
export function call(base, ca, method, path, body, token) {
  const text = typeof body === 'string' ? body : body === undefined ? undefined : JSON.stringify(body)
  return new Promise((resolve, reject) => {
    const asked = request(new URL(`/api/v1${path}`, base), {
      method,
      ca,
      timeout: 10_000,
      headers: {
        ...(text === undefined ? {} : { 'content-type': typeof body === 'string' ? 'text/csv' : 'application/json', 'content-length': Buffer.byteLength(text) }),
        ...(token ? { authorization: `Bearer ${token}` } : {}),
      },
    })
    asked.on('response', (response) => {
      const parts = []
      response.on('data', (part) => parts.push(part))
      response.on('end', () => {
        const answer = Buffer.concat(parts).toString()
        const value = answer === '' ? null : JSON.parse(answer)
        if (response.statusCode >= 400) reject(new Error(`${method} ${path}: ${response.statusCode} ${answer}`))
        else resolve(value)
      })
    })
    asked.on('timeout', () => asked.destroy(new Error(`${method} ${path}: no answer in 10 s`)))
    asked.on('error', reject)
    asked.end(text)
  })
}
