/**
 * Domain, host, address, local part and string lists: matching a subject against a list.
 * Source: Exim manual, chapter "Domain, host, address, and local part lists".
 */
import type { Expandable } from '../../base/expandable.ts'
import type { Report } from '../../base/diagnostic.ts'
import type { Awaitable } from '../../base/outcome.ts'
import type { Text } from '../../base/text.ts'
import type { Context, HostSubject, ListResult, ListSubject, Ports } from '../../ports.ts'
import type { Configuration } from '../config/configuration.ts'
import { checkLists } from './check.ts'
import type { AnyKind } from './compile.ts'
import { Engine } from './engine.ts'
import { splitList } from './split.ts'

export interface ListMatcher extends Pick<Ports, 'matchList' | 'matchListText' | 'splitList'> {
  /** Mistakes in named lists that show without running anything. */
  check(configuration: Configuration, report: Report): void
  /** Compiles the long named lists, in turns with whatever else there is to do. */
  prepare(configuration: Configuration): void
}

/** Makes the list matcher of one process. It keeps compiled lists and files, all bounded. */
export function createListMatcher(): ListMatcher {
  const engine = new Engine()
  return {
    matchList<K extends AnyKind>(
      kind: K,
      list: Expandable,
      subject: ListSubject<K>,
      context: Context,
      options?: MatchOptions,
    ): Awaitable<ListResult> {
      return engine.matchList(kind, list, asSubject(subject), context, options ?? {})
    },
    matchListText<K extends AnyKind>(
      kind: K,
      list: Text,
      subject: ListSubject<K>,
      context: Context,
      options?: MatchOptions,
    ): Awaitable<ListResult> {
      return engine.matchListText(kind, list, asSubject(subject), context, options ?? {})
    },
    splitList,
    check: checkLists,
    prepare: (configuration) => engine.prepare(configuration),
  }
}

interface MatchOptions {
  readonly caseful?: boolean
  readonly addressesOnly?: boolean
}

/** A host or a text: the kind, which the caller's types bind to the subject, is told from its form. */
function asSubject(subject: Text | HostSubject): Text | HostSubject {
  return subject
}
