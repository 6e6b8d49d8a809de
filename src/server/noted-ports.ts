/** Files and users that are asked for, written down in an explanation. */
import type { ByteString } from '../base/text.ts'
import type {
  Account,
  Accounts,
  FileBytes,
  Files,
  FileStat,
  FileTrouble,
  Trace,
  UserFiles,
} from '../ports.ts'

export class NotedFiles implements Files {
  readonly #files: Files
  readonly #here: Trace

  constructor(files: Files, here: Trace) {
    this.#files = files
    this.#here = here
  }

  read(path: string, limitBytes: number): FileBytes | FileTrouble {
    return this.#noted(path, this.#files.read(path, limitBytes))
  }

  stat(path: string): FileStat | FileTrouble {
    return this.#noted(path, this.#files.stat(path))
  }

  list(path: string): readonly string[] | FileTrouble {
    const found = this.#files.list(path)
    this.#here.note('file', path, 'error' in found ? found.error : `folder with ${found.length} files`)
    return found
  }

  space(path: string): ReturnType<Files['space']> {
    return this.#files.space(path)
  }

  get asUser(): UserFiles | undefined {
    const asUser = this.#files.asUser
    if (asUser === undefined) return undefined
    return {
      read: async (ids, path, limit) => this.#noted(path, await asUser.read(ids, path, limit)),
      stat: async (ids, path) => this.#noted(path, await asUser.stat(ids, path)),
    }
  }

  #noted<T extends FileBytes | FileStat | FileTrouble>(path: string, found: T): T {
    this.#here.note('file', path, told(found))
    return found
  }
}

function told(found: FileBytes | FileStat | FileTrouble): ByteString {
  if ('error' in found) return found.error
  if ('bytes' in found) return `read, ${found.bytes.length} bytes`
  return found.kind === 'directory' ? 'folder' : `${found.kind}, ${found.size} bytes`
}

export class NotedAccounts implements Accounts {
  readonly #accounts: Accounts
  readonly #here: Trace

  constructor(accounts: Accounts, here: Trace) {
    this.#accounts = accounts
    this.#here = here
  }

  byName(name: string): Account | undefined {
    const found = this.#accounts.byName(name)
    this.#here.note('user', name, userText(found))
    return found
  }

  byUid(uid: number): Account | undefined {
    return this.#accounts.byUid(uid)
  }

  groupByName(name: string): ReturnType<Accounts['groupByName']> {
    const found = this.#accounts.groupByName(name)
    const told = found === undefined ? 'no such group' : `gid ${found.gid} members ${found.members.join(' ')}`
    this.#here.note('group', name, told.trimEnd())
    return found
  }

  groupByGid(gid: number): ReturnType<Accounts['groupByGid']> {
    return this.#accounts.groupByGid(gid)
  }
}

/** What `postern test --record` reads again. */
function userText(account: Account | undefined): string {
  return account === undefined
    ? 'no such user'
    : `uid ${account.uid} gid ${account.gid} home ${account.home} shell ${account.shell}`
}
