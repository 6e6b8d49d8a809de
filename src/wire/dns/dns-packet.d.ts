/** The part of `dns-packet` that Postern uses; the package brings no types. */
declare module 'dns-packet' {
  interface Question {
    type: string
    name: string
    class?: string
  }
  interface Answer {
    type: string
    name: string
    class?: string
    ttl?: number
    data?: unknown
    flags?: number
    flag_do?: boolean
    udpPayloadSize?: number
    extendedRcode?: number
    ednsVersion?: number
    options?: unknown[]
  }
  interface Packet {
    type?: 'query' | 'response'
    id?: number
    flags?: number
    rcode?: string
    flag_qr?: boolean
    flag_aa?: boolean
    flag_tc?: boolean
    flag_ad?: boolean
    questions?: Question[]
    answers?: Answer[]
    authorities?: Answer[]
    additionals?: Answer[]
  }
  const packet: {
    readonly AUTHORITATIVE_ANSWER: number
    readonly TRUNCATED_RESPONSE: number
    readonly RECURSION_DESIRED: number
    readonly RECURSION_AVAILABLE: number
    readonly AUTHENTIC_DATA: number
    readonly DNSSEC_OK: number
    encode(packet: Packet): Buffer
    decode(bytes: Uint8Array): Packet
  }
  export default packet
  export type { Answer, Packet, Question }
}
