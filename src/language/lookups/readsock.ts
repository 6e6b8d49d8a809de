/**
 * Asks a socket: what `${readsocket` does, as a lookup. The path or `inet:host:port` stands before the request, or in
 * `file=`; `timeout=`, `shutdown=no`, `tls=yes` and `eol=` are options.
 */
import { readSocket } from '../../base/read-socket.ts'
import { outsideWords } from '../../base/outside.ts'
import { slice, taint, textOf, unquotedTaint, type Text } from '../../base/text.ts'
import type { LookupResult } from '../../ports.ts'
import { durationOption, type LookupOptions, type QueryType } from './types.ts'

const longestAnswer = 16 * 1024 * 1024

type Place = { readonly path: string } | { readonly host: string; readonly port: number }

export const readsock: QueryType = {
  name: 'readsock',
  doc: 'Sends a request to a socket; the answer is what is found.',
  since: '0.1',
  style: 'query',
  async find(query, options, context): Promise<LookupResult> {
    const asked = placeAndRequest(query, options)
    if ('problem' in asked) return { is: 'failure', message: asked.problem }
    const no = (name: string, otherwise: boolean): boolean => {
      const word = options.get(name)?.toLowerCase()
      return word === undefined ? otherwise : word !== 'no' && word !== 'false'
    }
    const result = await readSocket({
      to: asked.to,
      request: textOf(asked.request),
      timeoutMs: durationOption(options, 'timeout', 5_000),
      shutdown: no('shutdown', true),
      tls: no('tls', false),
      answerLimitBytes: longestAnswer,
      signal: context.signal,
    })
    if (result.is === 'failed') return { is: 'defer', message: `readsock: ${result.message}` }
    const eol = options.get('eol')
    const data = eol === undefined ? result.data : result.data.replaceAll('\n', eol)
    return { is: 'found', data: taint(data, 'lookup readsock') }
  },
}

function placeAndRequest(
  query: Text,
  options: LookupOptions,
): { readonly to: Place; readonly request: Text } | { readonly problem: string } {
  const file = options.get('file')
  if (file !== undefined) return withPlace(file, query)
  const text = textOf(query)
  const end = /^\s*\S+/.exec(text)?.[0].length ?? 0
  const word = slice(query, 0, end)
  const span = unquotedTaint(word)
  if (span !== undefined)
    return {
      problem: `Tainted socket name for readsock lookup: '${textOf(word).trim()}' ${outsideWords(span.origin)}`,
    }
  return withPlace(textOf(word).trim(), slice(query, Math.min(end + 1, text.length)))
}

function withPlace(name: string, request: Text) {
  if (name.startsWith('/')) return { to: { path: name }, request }
  const match = /^inet:(?:\[([^\]]+)\]|([^:]*)):(\d{1,5})$/.exec(name)
  const port = Number(match?.[3] ?? 0)
  if (match === null || port < 1 || port > 65_535)
    return { problem: `readsock: "${name}" is neither the path of a socket nor inet:host:port` }
  return { to: { host: match[1] ?? match[2] ?? '', port }, request }
}
