/** Takes the transfer encoding off a part, piece by piece. Source: RFC 2045 sections 6.7 and 6.8; anomalies as Exim names them. */
import { type ByteString, fromBytes, toBytes } from '../../base/text.ts'

export interface MimeDecoder {
  push(piece: Uint8Array): Uint8Array
  end(): Uint8Array
  /** `$mime_anomaly_level` and `$mime_anomaly_text`. */
  readonly anomaly: Anomaly | undefined
}
export interface Anomaly {
  readonly level: 1 | 2
  readonly text: string
}

const brokenQuoted: Anomaly = { level: 1, text: 'Broken Quoted-Printable encoding detected' }
const brokenBase64: Anomaly = { level: 2, text: 'Broken BASE64 encoding detected' }
const empty = Buffer.alloc(0)

/** @param encoding the normalised value of Content-Transfer-Encoding: */
export function makeDecoder(encoding: ByteString): MimeDecoder {
  // Quotes do not belong there; programs that show mail take them off.
  switch (encoding.replaceAll('"', '')) {
    case 'base64':
      return new Base64Decoder()
    case 'quoted-printable':
      return new QuotedPrintableDecoder()
    default:
      return { push: (piece) => piece, end: () => empty, anomaly: undefined }
  }
}

export function isEncoded(encoding: ByteString): boolean {
  return /^"*(?:base64|quoted-printable)"*$/.test(encoding)
}

/** Each group of padding ends a run of base64; what follows is decoded anew. */
class Base64Decoder implements MimeDecoder {
  anomaly: Anomaly | undefined
  #held = ''

  push(piece: Uint8Array): Uint8Array {
    const text = fromBytes(piece)
    const clean = text.replace(/[^A-Za-z0-9+/=]+/g, '')
    if (clean.length < text.length && /[^A-Za-z0-9+/=\s]/.test(text)) this.anomaly = brokenBase64
    const all = this.#held + clean
    const whole = all.length - (all.length % 4)
    // A padding character belongs to a group of four only when it stands at its end.
    if (!all.includes('=')) {
      this.#held = all.slice(whole)
      return Buffer.from(all.slice(0, whole), 'base64')
    }
    return this.#runs(all)
  }

  #runs(all: string): Uint8Array {
    const runs = all.split(/=+/)
    this.#held = runs.pop() ?? ''
    const whole = this.#held.length - (this.#held.length % 4)
    const decoded = runs.map((run) => Buffer.from(run, 'base64'))
    decoded.push(Buffer.from(this.#held.slice(0, whole), 'base64'))
    this.#held = this.#held.slice(whole)
    return Buffer.concat(decoded)
  }

  end(): Uint8Array {
    const last = Buffer.from(this.#held, 'base64')
    this.#held = ''
    return last
  }
}

const longestLine = 8192

class QuotedPrintableDecoder implements MimeDecoder {
  anomaly: Anomaly | undefined
  #held = ''

  push(piece: Uint8Array): Uint8Array {
    const text = this.#held + fromBytes(piece)
    const end = text.lastIndexOf('\n') + 1
    // A line without end is decoded as far as it is sure what it says.
    const cut = end === 0 && text.length > longestLine ? safeEnd(text) : end
    this.#held = text.slice(cut)
    return this.#decode(text.slice(0, cut))
  }

  end(): Uint8Array {
    const last = this.#decode(this.#held)
    this.#held = ''
    return last
  }

  #decode(text: ByteString): Uint8Array {
    if (!text.includes('=')) return toBytes(text)
    // White space before the line end is no part of the line: RFC 2045 section 6.7 (3).
    const decoded = text.replace(
      /=([0-9A-Fa-f]{2})|=[ \t\r]*(?:\n|$)|=/g,
      (whole, hex: string | undefined) => {
        if (hex !== undefined) return String.fromCharCode(Number.parseInt(hex, 16))
        if (whole.length > 1 || whole === text) return ''
        this.anomaly = brokenQuoted
        return '='
      },
    )
    return toBytes(decoded)
  }
}

function safeEnd(text: ByteString): number {
  const equals = text.lastIndexOf('=')
  if (equals < 0 || text.length - equals > longestLine) return text.length
  return equals
}
