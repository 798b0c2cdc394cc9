// The thin shell of the link machine: one WebSocket, one timer. It decides nothing.
import type { FromScreenJson, PositionJson } from '../generated/api'
import type { Link, LinkEffect, LinkEvent } from './link'
import { deadline, hello, step } from './link'
import type { ToScreenJson } from '../generated/api'

export type SocketPorts = {
  url: string
  token: string
  screen: (FromScreenJson & { type: 'hello' })['screen']
  position: () => PositionJson | null
  onLink: (link: Link) => void
  onFrame: (frame: ToScreenJson) => void
}

export type LiveSocket = { start: () => void; stop: () => void }

export function liveSocket(ports: SocketPorts): LiveSocket {
  let link: Link = { state: 'stopped' }
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined

  function feed(event: LinkEvent): void {
    const { link: next, effects } = step(link, event, Date.now(), Math.random())
    const changed = next.state !== link.state
    link = next
    for (const effect of effects) perform(effect)
    if (changed) ports.onLink(link)
    clearTimeout(timer)
    const at = deadline(link)
    if (at !== null) timer = setTimeout(() => feed({ type: 'tick' }), Math.max(0, at - Date.now()))
  }

  function perform(effect: LinkEffect): void {
    switch (effect.do) {
      case 'open':
        open()
        break
      case 'greet':
        socket?.send(JSON.stringify(hello(ports.token, ports.screen, ports.position())))
        break
      case 'send':
        socket?.send(JSON.stringify(effect.frame))
        break
      case 'close':
        close()
        break
      case 'deliver':
        ports.onFrame(effect.frame)
        break
    }
  }

  function open(): void {
    close()
    const opened = new WebSocket(ports.url)
    socket = opened
    // Events of a socket that was given up must not speak for its successor.
    const mine = (event: LinkEvent) => {
      if (socket === opened) feed(event)
    }
    opened.onopen = () => mine({ type: 'opened' })
    opened.onclose = () => mine({ type: 'closed' })
    opened.onmessage = ({ data }) => {
      if (typeof data === 'string') mine({ type: 'frame', frame: JSON.parse(data) as ToScreenJson })
    }
  }

  function close(): void {
    const closing = socket
    socket = undefined
    closing?.close()
  }

  const wake = () => feed({ type: 'online' })
  return {
    start() {
      window.addEventListener('online', wake)
      document.addEventListener('visibilitychange', wake)
      feed({ type: 'start' })
      ports.onLink(link)
    },
    stop() {
      window.removeEventListener('online', wake)
      document.removeEventListener('visibilitychange', wake)
      feed({ type: 'stop' })
      clearTimeout(timer)
    },
  }
}

export function liveUrl(location: Location): string {
  return `${location.protocol === 'http:' ? 'ws' : 'wss'}://${location.host}/api/v1/live`
}
