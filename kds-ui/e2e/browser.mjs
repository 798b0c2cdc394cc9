// Starts the system's Chromium without anything that talks to the outside, and knows the sizes of our screens.
import { existsSync } from 'node:fs'
import { chromium } from 'playwright-core'

export const SIZES = {
  kitchen: [
    { width: 1280, height: 800 },
    { width: 1920, height: 1080 },
  ],
  kiosk: [{ width: 1080, height: 1920 }],
  phone: [{ width: 390, height: 844 }],
  tablet: [{ width: 1024, height: 768 }],
  any: [{ width: 1280, height: 800 }],
}

export async function launch() {
  const executablePath = process.env.CHROMIUM ?? ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'].find((path) => existsSync(path))
  if (!executablePath) throw new Error('chromium not found: apt-get install -y chromium fonts-dejavu fonts-noto-core, or set CHROMIUM=/path/to/it')
  return chromium.launch({
    executablePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--no-first-run',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
      // The site's certificate is its own; installing its CA belongs to pairing, which a browser without a face cannot do.
      '--ignore-certificate-errors',
      '--autoplay-policy=user-gesture-required',
      // A page that the test itself answers counts as one from elsewhere, which may not open a socket to this machine.
      ...(process.env.PILOTLIGHT_SCREENS === 'dist' ? ['--disable-features=LocalNetworkAccessChecks'] : []),
    ],
  })
}
