/** A client of a session that is played: facts that a real one would bring about. */
import type { ProxyFacts, TlsFacts } from '../ports.ts'

/** The client's end of a connection, and what is known of it before it says a word. */
export interface ClientFacts {
  readonly address: string
  readonly port: number
  /** Undefined: nothing is said of it. */
  readonly interfaceAddress: string | undefined
  readonly interfacePort: number
  /** Undefined: found out when the configuration asks; null: there is none. */
  readonly name: string | null | undefined
  readonly tls: TlsFacts | undefined
  readonly proxy: ProxyFacts | undefined
  readonly authenticated:
    | { readonly id: string; readonly by: string; readonly sender: string | undefined }
    | undefined
}

/** TLS as most clients have it, but for what is known. */
export function usualTls(known: Partial<TlsFacts>): TlsFacts {
  return {
    onConnect: false,
    version: 'TLS1.3',
    cipher: 'TLS1.3:TLS_AES_256_GCM_SHA384:256',
    cipherStd: 'TLS_AES_256_GCM_SHA384',
    bits: 256,
    certificateVerified: false,
    peerDn: '',
    sni: '',
    ocsp: 0,
    resumed: false,
    ...known,
  }
}

/** A PROXY header that was taken, but for what is known. */
export function usualProxy(known: Partial<ProxyFacts>): ProxyFacts {
  return {
    session: true,
    failed: false,
    healthCheck: false,
    localAddress: '',
    localPort: 0,
    externalAddress: '',
    externalPort: 0,
    tlvs: new Map(),
    ...known,
  }
}
