// The relay and its gateway as processes of their own, and a restaurant that is joined to them.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { call } from './node.mjs'
import { until } from './wait.mjs'

/** Whether the programs were named: without them there is no cloud to test. */
export const cloudIsThere = () => [process.env.PILOTLIGHT_RELAY_BIN, process.env.PILOTLIGHT_GATEWAY_BIN].every((binary) => binary && existsSync(binary))

async function start(binary, arguments_, readyFile) {
  const child = spawn(binary, [...arguments_, '--ready-file', readyFile], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, RUST_LOG: 'warn' } })
  const said = []
  child.stdout.on('data', (data) => said.push(String(data)))
  child.stderr.on('data', (data) => said.push(String(data)))
  const gone = new Promise((resolve) => child.once('exit', resolve))
  const told = await until(`${binary} is ready`, () => {
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}:\n${said.join('')}`)
    if (!existsSync(readyFile)) return null
    try {
      return JSON.parse(readFileSync(readyFile, 'utf8'))
    } catch {
      return null // Half written.
    }
  }, 30_000)
  return {
    told,
    said: () => said.join(''),
    async stop() {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGTERM')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      await gone
      clearTimeout(timer)
    },
  }
}

/** Gateway, relay, and the house joined to the relay: open online. */
export async function openCloud(house, place) {
  const home = mkdtempSync(join(tmpdir(), 'pilotlight-cloud-'))
  const gateway = await start(process.env.PILOTLIGHT_GATEWAY_BIN, ['--journal', join(home, 'journal')], join(home, 'gateway.json'))
  const arguments_ = ['run', '--data', join(home, 'relay'), '--listen', '127.0.0.1:0', '--gateway-url', gateway.told.url, '--steady-ms', '500', '--ping-ms', '500', '--dead-ms', '2000']
  const relay = await start(process.env.PILOTLIGHT_RELAY_BIN, arguments_, join(home, 'relay.json'))
  const ca = readFileSync(relay.told.ca)
  const api = (method, path, body, token) => call(relay.told.url, ca, method, path, body, token)
  const { site_code } = await api('POST', '/sites', { name: 'Pizzeria Pilota', ...place }, relay.told.operator_token)
  await house.api('POST', '/uplink', { relay_url: relay.told.url, code: site_code, ca_pem: ca.toString() })
  await until('the restaurant is open online', async () => (await api('GET', `/restaurants?lat=${place.lat}&lon=${place.lon}`)).restaurants.some(({ open }) => open), 30_000)
  return {
    url: relay.told.url,
    api,
    said: relay.said,
    /** The relay goes, as if the internet did. */
    cut: relay.stop,
    async close() {
      await relay.stop()
      await gateway.stop()
      rmSync(home, { recursive: true, force: true })
    },
  }
}
