import './style/tokens.css'
import './style/base.css'
import './style/phone.css'
import { mount } from 'svelte'
import App from './App.svelte'

const target = document.getElementById('app')
if (!target) throw new Error('the page has no #app')
mount(App, { target })

if ('serviceWorker' in navigator && import.meta.env.PROD) {
  navigator.serviceWorker.register('/sw.js').catch((error: unknown) => {
    // Without the site's certificate the browser refuses: the screens work, but cannot be opened while the node is away.
    console.warn('screens are not kept on this device', error)
  })
}
