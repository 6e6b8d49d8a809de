/**
 * Where the event stream goes: a file, a Unix socket, a URL. Each hands over whole lines and says whether they arrived.
 *
 * - `/path` or `file:/path`: appended, and synced.
 * - `unix:/path`: one connection a batch; the consumer reads to the end and answers `ok` and a line end. That it
 *   merely closes says nothing: so does one that is killed.
 * - `http://...`, `https://...`: POST with a body of JSON lines; any 2xx answer means taken.
 */
import { closeSync, constants, fdatasyncSync, openSync, writeSync } from 'node:fs'
import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { connect } from 'node:net'

/** Undefined: taken; else why not. */
export type EventTarget = (lines: readonly string[]) => Promise<string | undefined>

/** A consumer that takes longer has not taken it. */
const limitMs = 10_000

/** The target that a text names, or what is wrong with it. */
export function eventTarget(text: string): EventTarget | { readonly wrong: string } {
  const path = /^(?:file:)?(\/.*)$/s.exec(text)?.[1]
  if (path !== undefined) return (lines) => Promise.resolve(appendTo(path, lines))
  const socket = /^unix:(\/.*)$/s.exec(text)?.[1]
  if (socket !== undefined) return (lines) => sendTo(socket, lines)
  if (URL.canParse(text) && /^https?:$/.test(new URL(text).protocol)) {
    const url = new URL(text)
    return (lines) => post(url, lines)
  }
  return { wrong: 'event_stream is a path, unix:/path or a URL that begins with http:// or https://' }
}

function body(lines: readonly string[]): Buffer {
  return Buffer.from(`${lines.join('\n')}\n`)
}

function appendTo(path: string, lines: readonly string[]): string | undefined {
  try {
    const { O_WRONLY, O_APPEND, O_CREAT, O_NOFOLLOW } = constants
    const fd = openSync(path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW, 0o640)
    try {
      const bytes = body(lines)
      for (let at = 0; at < bytes.length; ) at += writeSync(fd, bytes, at)
      fdatasyncSync(fd)
    } finally {
      closeSync(fd)
    }
    return undefined
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  }
}

function sendTo(path: string, lines: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    const end = (why: string | undefined): void => {
      resolve(why)
      socket.destroy()
    }
    socket.setTimeout(limitMs, () => end('the consumer did not answer in time'))
    socket.on('error', (error) => end(error.message))
    socket.on('connect', () => socket.end(body(lines)))
    let answer = ''
    socket.setEncoding('latin1').on('data', (piece: string) => {
      answer += piece
      if (/^ok\r?\n/.test(answer)) end(undefined)
      else if (answer.length > 100) end('the consumer did not answer ok')
    })
    socket.on('close', () => end('the consumer did not answer ok'))
  })
}

function post(url: URL, lines: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve) => {
    const bytes = body(lines)
    const send = url.protocol === 'https:' ? httpsRequest : httpRequest
    const request = send(
      url,
      {
        method: 'POST',
        headers: { 'Content-Type': 'application/x-ndjson', 'Content-Length': bytes.length },
        signal: AbortSignal.timeout(limitMs),
      },
      (response) => {
        response.resume()
        const status = response.statusCode ?? 0
        response.on('end', () => resolve(status >= 200 && status < 300 ? undefined : `answered ${status}`))
        response.on('error', (error) => resolve(error.message))
      },
    )
    request.on('error', (error) => resolve(error.message))
    request.end(bytes)
  })
}
