// Which screen an address names. Four screens need no library.
export type Route =
  | { screen: 'home' }
  | { screen: 'kitchen'; station: string | null }
  | { screen: 'kiosk' }
  | { screen: 'pair'; code: string; next: string | null }
  | { screen: 'stories'; story: string | null; params: URLSearchParams }

export function route(url: URL): Route {
  const [first = '', second] = url.pathname.split('/').filter((part) => part !== '')
  switch (first) {
    case 'kitchen':
      return { screen: 'kitchen', station: url.searchParams.get('station') }
    case 'kiosk':
      return { screen: 'kiosk' }
    case 'pair':
      return { screen: 'pair', code: url.searchParams.get('code') ?? '', next: url.searchParams.get('next') }
    case 'stories':
      return { screen: 'stories', story: second ? decodeURIComponent(second) : null, params: url.searchParams }
    default:
      return { screen: 'home' }
  }
}
