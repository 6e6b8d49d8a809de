/** Reads SMTP replies from bytes as they come. Source: RFC 5321 section 4.2. */
import type { ByteString } from '../../base/text.ts'

export interface SmtpReply {
  /** 0 for a line that is no reply. */
  readonly code: number
  /** All lines with their codes, joined by LF, without line ends: what logs and bounces quote. */
  readonly text: ByteString
}

/** Most bytes of one reply; a server that says more is cut off. */
const replyLimitBytes = 65_536

/** Collects replies; `malformed` is set once something came that is no reply. */
export class ReplyReader {
  readonly replies: SmtpReply[] = []
  malformed = false
  #rest = ''
  #lines = ''

  /** Takes the next bytes; complete replies are appended to `replies`. */
  push(bytes: ByteString): void {
    let text = this.#rest === '' ? bytes : this.#rest + bytes
    let start = 0
    for (;;) {
      const end = text.indexOf('\n', start)
      if (end < 0) break
      const line = text.slice(start, text.charCodeAt(end - 1) === 13 && end > start ? end - 1 : end)
      start = end + 1
      this.#line(line)
    }
    text = start === 0 ? text : text.slice(start)
    if (text.length + this.#lines.length > replyLimitBytes) {
      this.malformed = true
      text = ''
    }
    this.#rest = text
  }

  /** True while part of a reply waits for its rest. */
  get pending(): boolean {
    return this.#rest !== '' || this.#lines !== ''
  }

  /** What has come of an unfinished reply. */
  get partial(): ByteString {
    return this.#lines === '' ? this.#rest : `${this.#lines}\n${this.#rest}`
  }

  clear(): void {
    this.replies.length = 0
    this.#rest = ''
    this.#lines = ''
  }

  #line(line: ByteString): void {
    const code = replyCode(line)
    const separator = line.charCodeAt(3)
    const last = line.length === 3 || separator === 32
    if (code === 0 || !(last || separator === 45)) {
      this.malformed = true
      this.replies.push({ code: 0, text: this.#lines === '' ? line : `${this.#lines}\n${line}` })
      this.#lines = ''
      return
    }
    if (!last) {
      this.#lines = this.#lines === '' ? line : `${this.#lines}\n${line}`
      return
    }
    this.replies.push({ code, text: this.#lines === '' ? line : `${this.#lines}\n${line}` })
    this.#lines = ''
  }
}

/** The three digits a reply line begins with; 0 when it does not. */
function replyCode(line: ByteString): number {
  if (line.length < 3) return 0
  const a = line.charCodeAt(0) - 48
  const b = line.charCodeAt(1) - 48
  const c = line.charCodeAt(2) - 48
  if (a < 2 || a > 5 || b < 0 || b > 9 || c < 0 || c > 9) return 0
  return a * 100 + b * 10 + c
}
