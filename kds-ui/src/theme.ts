// Light or dark, remembered for each screen.
type Theme = 'light' | 'dark'

function key(screen: string): string {
  return `pilotlight.theme.${screen}`
}

function show(theme: Theme): void {
  document.documentElement.dataset['theme'] = theme
  document.querySelector('meta[name="theme-color"]')?.setAttribute('content', getComputedStyle(document.documentElement).getPropertyValue('--bg').trim())
}

export function setTheme(screen: string, usual: Theme): void {
  show((localStorage.getItem(key(screen)) as Theme | null) ?? usual)
}

export function switchTheme(screen: string): void {
  const next: Theme = document.documentElement.dataset['theme'] === 'light' ? 'dark' : 'light'
  localStorage.setItem(key(screen), next)
  show(next)
}
