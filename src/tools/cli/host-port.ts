/** An address with or without a port, as -bh, -oMa and -oMi take it. Source: Exim manual, "-bh". */
import { formatIp, parseIp } from '../../base/ip.ts'

export interface HostPort {
  readonly address: string
  readonly port: number
}

/** `192.0.2.1`, `192.0.2.1.1234`, `192.0.2.1.` for no port, `[2001:db8::1]:25`, `2001:db8::1.25`; undefined when it is no address. */
export function splitHostPort(text: string): HostPort | undefined {
  const bracketed = /^\[([^\]]*)\](?::(\d+))?$/.exec(text)
  const whole = parseIp(bracketed?.[1] ?? text)
  if (whole !== undefined) return { address: formatIp(whole), port: Number(bracketed?.[2] ?? 0) }
  const dotted = /^(.*)\.(\d{0,5})$/.exec(text)
  const address = parseIp(dotted?.[1] ?? '')
  return address === undefined ? undefined : { address: formatIp(address), port: Number(dotted?.[2]) }
}
