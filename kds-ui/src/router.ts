// Which screen an address names. Seven screens need no library.
export type Route =
  | { screen: 'home' }
  | { screen: 'kitchen'; station: string | null }
  | { screen: 'kiosk' }
  | { screen: 'owner' }
  | { screen: 'order'; path: readonly string[] }
  | { screen: 'ride' }
  | { screen: 'pair'; code: string; next: string | null }
  | { screen: 'stories'; story: string | null; params: URLSearchParams }

export function route(url: URL): Route {
  const [first = '', ...rest] = url.pathname.split('/').filter((part) => part !== '')
  switch (first) {
    case 'kitchen':
      return { screen: 'kitchen', station: url.searchParams.get('station') }
    case 'kiosk':
      return { screen: 'kiosk' }
    case 'owner':
      return { screen: 'owner' }
    case 'order':
      return { screen: 'order', path: rest.map((part) => decodeURIComponent(part)) }
    case 'ride':
      return { screen: 'ride' }
    case 'pair':
      return { screen: 'pair', code: url.searchParams.get('code') ?? '', next: url.searchParams.get('next') }
    case 'stories':
      return { screen: 'stories', story: rest[0] ? decodeURIComponent(rest[0]) : null, params: url.searchParams }
    default:
      return { screen: 'home' }
  }
}
