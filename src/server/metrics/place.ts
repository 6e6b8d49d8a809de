/** The value of `metrics_listen`. */
import { formatIp, parseIp } from '../../base/ip.ts'

export type Place = { readonly address: string; readonly port: number } | { readonly wrong: string }

const form = 'an address and a port, such as 127.0.0.1:9125 or [::1]:9125'

export function listenPlace(text: string): Place {
  const parts = /^\s*(?:\[([^\]]+)\]|([\d.]+)):(\d{1,5})\s*$/.exec(text)
  const ip = parseIp(parts?.[1] ?? parts?.[2] ?? '')
  const port = Number(parts?.[3])
  if (ip === undefined || !(port <= 65_535)) return { wrong: `"${text}" is not ${form}` }
  return { address: formatIp(ip), port }
}

export function isLoopback(address: string): boolean {
  return address === '::1' || address.startsWith('127.')
}

/** What is wrong with the two options together, said at start. */
export function metricsProblem(listen: string, hostsSet: boolean): string | undefined {
  const place = listenPlace(listen)
  if ('wrong' in place) return `metrics_listen: ${place.wrong}`
  if (isLoopback(place.address) || hostsSet) return undefined
  return `metrics_listen = ${listen} is no loopback address: metrics_hosts must say who may ask`
}
