/** `socks_proxy`: the way out through SOCKS 5 proxies. Source: Exim manual, "Outbound proxies". */
import type { Expandable } from '../../../base/expandable.ts'
import { Failure } from '../../../base/outcome.ts'
import { textOf } from '../../../base/text.ts'
import type { Context } from '../../../ports.ts'
import { type Connected, connectTo } from '../../../wire/outbound.ts'
import { throughSocks } from '../../../wire/socks.ts'
import { expanded } from '../expanding.ts'
import type { Place } from './smtp-hosts.ts'
import type { SessionOptions } from './smtp-session.ts'

export interface SocksProxy {
  readonly address: string
  readonly port: number
  readonly login: { readonly name: string; readonly password: string } | undefined
  readonly timeoutMs: number
  readonly priority: number
  readonly weight: number
}

/** In the order to be tried; undefined: no proxy is to be used. */
export async function socksProxies(
  option: Expandable | undefined,
  context: Context,
): Promise<readonly SocksProxy[] | undefined | Failure> {
  const value = await expanded(option, context)
  if (value === undefined || value instanceof Failure) return value
  const proxies: SocksProxy[] = []
  for (const item of context.ports.splitList(value).map(textOf)) {
    if (item.trim() === '') continue
    const proxy = readProxy(item)
    if (typeof proxy === 'string') return new Failure('failure', proxy)
    proxies.push(proxy)
  }
  return proxies.length === 0 ? undefined : inOrder(proxies, (limit) => context.ports.random(limit))
}

/** `192.0.2.1 port=1080 auth=name name=x pass=y tmo=5 pri=1 weight=1`. */
function readProxy(text: string): SocksProxy | string {
  const [address = '', ...words] = text.trim().split(/\s+/)
  const options = new Map<string, string>()
  for (const word of words) {
    const at = word.indexOf('=')
    const name = word.slice(0, Math.max(at, 0))
    if (!['auth', 'name', 'pass', 'port', 'tmo', 'pri', 'weight'].includes(name)) {
      return `unknown option "${word}" of the proxy ${address}`
    }
    options.set(name, word.slice(at + 1))
  }
  const number = (name: string, otherwise: number): number => Number(options.get(name) ?? otherwise)
  const auth = options.get('auth') ?? 'none'
  if (auth !== 'none' && auth !== 'name') return `unknown authentication "${auth}" of the proxy ${address}`
  const proxy = {
    address,
    port: number('port', 1080),
    login:
      auth === 'none' ? undefined : { name: options.get('name') ?? '', password: options.get('pass') ?? '' },
    timeoutMs: number('tmo', 5) * 1000,
    priority: number('pri', 1),
    weight: number('weight', 1),
  }
  const numbers = [proxy.port, proxy.timeoutMs, proxy.priority, proxy.weight]
  return numbers.some((one) => !Number.isFinite(one) || one < 0)
    ? `a number is wrong in the options of the proxy ${address}`
    : proxy
}

/** Higher priorities first; within one by chance, in proportion to the weights. */
function inOrder(proxies: readonly SocksProxy[], random: (limit: number) => number): SocksProxy[] {
  const rest = [...proxies].sort((a, b) => b.priority - a.priority)
  const list: SocksProxy[] = []
  while (rest.length > 0) {
    const group = rest.filter((one) => one.priority === rest[0]?.priority)
    let mark = random(group.reduce((sum, one) => sum + Math.max(1, Math.floor(one.weight)), 0))
    const chosen = group.find((one) => (mark -= Math.max(1, Math.floor(one.weight))) < 0) ?? group[0]
    if (chosen === undefined) break
    list.push(chosen)
    rest.splice(rest.indexOf(chosen), 1)
  }
  return list
}

/** The first proxy that answers decides. */
export async function connectThrough(
  proxies: readonly SocksProxy[],
  place: Place,
  options: SessionOptions,
): Promise<Connected> {
  let last: Connected = { is: 'failed', errno: -1, message: 'no proxy could be reached' }
  for (const proxy of proxies) {
    const limitMs = options.connectMs > 0 ? Math.min(options.connectMs, proxy.timeoutMs) : proxy.timeoutMs
    const connected = await connectTo({
      address: proxy.address,
      port: proxy.port,
      localAddress: options.localAddress,
      timeoutMs: limitMs,
      keepalive: options.keepalive,
      trafficOctet: options.trafficOctet,
      signal: options.signal,
    })
    if (connected.is === 'failed') {
      last = connected
      continue
    }
    const target = {
      address: place.address,
      port: place.port,
      login: proxy.login,
      timeoutMs: options.connectMs,
    }
    const problem = await throughSocks(connected.socket, target)
    if (problem === undefined) return connected
    connected.socket.on('error', () => undefined)
    connected.socket.destroy()
    // The proxy has spoken: others would say the same of this target.
    return {
      is: 'failed',
      errno: problem === 'Connection refused' ? 111 : -1,
      message: `proxy ${proxy.address}: ${problem}`,
    }
  }
  return last
}
