/** The client of a session that is played, as switches state it: who it is, and what TLS, AUTH and PROXY would have brought. */
import { encodeUtf8 } from '../../base/text.ts'
import { type ClientFacts, usualProxy, usualTls } from '../../server/client-facts.ts'
import { type HostPort, splitHostPort } from './host-port.ts'

const text = { type: 'string' } as const
const yes = { type: 'boolean', default: false } as const

/** For `parseArgs`. */
export const clientOptions = {
  from: text,
  interface: text,
  tls: yes,
  'tls-on-connect': yes,
  'tls-cipher': text,
  'tls-certificate': text,
  'tls-sni': text,
  'authenticated-id': text,
  'authenticated-by': text,
  proxy: text,
  'proxy-external': text,
} as const

type Values = { readonly [name in keyof typeof clientOptions]?: string | boolean | undefined }

/** A sentence when something is wrong. */
export function statedClient(values: Values): ClientFacts | string {
  const from = place(values.from)
  if (from === undefined) return '--from IP: the address of the client'
  const at = place(values.interface)
  if (values.interface !== undefined && at === undefined)
    return '--interface IP: an address, and a port after a dot'
  const proxy = place(values.proxy)
  const external = place(values['proxy-external'])
  if (
    (values.proxy !== undefined && proxy === undefined) ||
    (values['proxy-external'] !== undefined && external === undefined)
  )
    return '--proxy IP, --proxy-external IP: addresses of the proxy, each with a port after a dot'
  const wrong = Object.values(values).find((value) => typeof value === 'string' && /[\r\n\0]/.test(value))
  if (wrong !== undefined) return 'names and addresses have one line'
  return {
    address: from.address,
    port: from.port || usualPort,
    interfaceAddress: at?.address,
    interfacePort: at?.port || (values['tls-on-connect'] === true ? 465 : 25),
    name: undefined,
    tls: tlsOf(values),
    proxy: proxyOf(proxy, external),
    authenticated: authenticatedOf(values),
  }
}

const usualPort = 40_000

function place(value: string | boolean | undefined): HostPort | undefined {
  return typeof value === 'string' ? splitHostPort(value) : undefined
}

function tlsOf(values: Values): ClientFacts['tls'] {
  const onConnect = values['tls-on-connect'] === true
  const cipher = bytes(values['tls-cipher'])
  const peerDn = bytes(values['tls-certificate'])
  const sni = bytes(values['tls-sni'])
  if (values.tls !== true && !onConnect && cipher === undefined && peerDn === undefined && sni === undefined)
    return undefined
  return usualTls({
    onConnect,
    ...(cipher === undefined ? {} : { cipher }),
    ...(peerDn === undefined ? {} : { peerDn, certificateVerified: true }),
    ...(sni === undefined ? {} : { sni }),
  })
}

function proxyOf(local: HostPort | undefined, external: HostPort | undefined): ClientFacts['proxy'] {
  if (local === undefined && external === undefined) return undefined
  return usualProxy({
    ...(local === undefined ? {} : { localAddress: local.address, localPort: local.port }),
    ...(external === undefined ? {} : { externalAddress: external.address, externalPort: external.port }),
  })
}

function authenticatedOf(values: Values): ClientFacts['authenticated'] {
  const id = bytes(values['authenticated-id'])
  const by = bytes(values['authenticated-by'])
  return id === undefined && by === undefined
    ? undefined
    : { id: id ?? '', by: by ?? 'plain', sender: undefined }
}

function bytes(value: string | boolean | undefined): string | undefined {
  return typeof value === 'string' ? encodeUtf8(value) : undefined
}
