/** What a daemon says of its start. */
import type { Server } from './server.ts'
import { eximVersion } from './version.ts'

/** What Exim says at the start of a daemon that has to make its own certificate. */
export function certificateWarning({ settings }: Pick<Server, 'settings'>): string | undefined {
  if (settings.tls_certificate !== undefined || settings.tls_advertise_hosts === undefined) return undefined
  if (settings.tls_advertise_hosts.text === '') return undefined
  return 'Warning: No server certificate defined; will use a selfsigned one. Suggested action: either install a certificate or change tls_advertise_hosts option'
}

/** Log tools know the daemon's first line by these words. */
export function startedLine(line: string): string {
  return `exim ${eximVersion} daemon started: pid=${process.pid}, ${line}`
}
