// What a story is: a view with its props, at a size, in a theme.
import type { Component } from 'svelte'
import type { Words } from '../../words'

export type Size = 'kitchen' | 'kiosk' | 'phone' | 'tablet' | 'any'

export type Story = {
  name: string
  size: Size
  theme: 'light' | 'dark'
  component: Component<Record<string, unknown>>
  props: (w: Words) => Record<string, unknown>
  rtl?: boolean
}

export function story<P extends Record<string, unknown>>(
  name: string,
  size: Size,
  theme: 'light' | 'dark',
  component: Component<P>,
  props: (w: Words) => NoInfer<P>,
  more: Pick<Story, 'rtl'> = {},
): Story {
  return { name, size, theme, component: component as unknown as Story['component'], props: props as Story['props'], ...more }
}

export const nothing = () => undefined
