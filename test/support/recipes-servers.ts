/** The real servers and tools that some recipes need, and the words in the files of recipes that stand for them. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  fetchMariadb,
  fetchPostgres,
  fetchSlapd,
  startMariadb,
  startPostgres,
  startSlapd,
} from './databases.ts'
import { debianConfiguration, debianRoot } from './debian-configuration.ts'
import { fetchDebian, wrapper, type Fetched } from './debian.ts'
import { fetchRecipesDovecot, startRecipesDovecot } from './recipes-dovecot.ts'
import { fetchClamd, fetchSpamd, startClamd, startRspamd, startSpamd } from './scanners.ts'
import { repository } from './server.ts'

export const recipesFolder: string = join(repository, 'test', 'testdata', 'recipes')

export interface Running {
  readonly words: Readonly<Record<string, string>>
  stop(): Promise<void>
}

interface Needed {
  readonly recipes: readonly string[]
  /** Downloads it; where there is a network of its own, it is there already. */
  fetch(): Fetched
  /** @param folder where it may write */
  start(folder: string): Promise<Running>
}

const needed: readonly Needed[] = [
  {
    recipes: ['hoster-sql', 'panel-sql'],
    fetch: fetchMariadb,
    start: async () => serves('MYSQL_PORT', await startMariadb(present(fetchMariadb()))),
  },
  {
    recipes: ['hoster-sql'],
    fetch: fetchPostgres,
    start: async () => serves('PGSQL_PORT', await startPostgres(present(fetchPostgres()))),
  },
  {
    recipes: ['ldap-users'],
    fetch: fetchSlapd,
    start: async () =>
      serves(
        'LDAP_PORT',
        await startSlapd(
          present(fetchSlapd()),
          readFileSync(join(recipesFolder, 'ldap-users', 'base.ldif'), 'utf8'),
        ),
      ),
  },
  {
    recipes: ['debian-hub', 'debian-satellite'],
    fetch: debianRoot,
    start: async () => ({
      words: {
        DEBIAN_CONFIGURATION: withoutOwn(debianConfiguration(present(debianRoot()).root, 'none', true)),
      },
      stop: async () => {},
    }),
  },
  {
    recipes: ['lookup-files', 'virtual-cdb'],
    fetch: () => fetchDebian(['tinycdb']),
    start: async () => ({
      words: { CDBMAKE: wrapper(present(fetchDebian(['tinycdb'])).root, 'usr/bin/cdb') },
      stop: async () => {},
    }),
  },
  {
    recipes: ['content-scanning'],
    fetch: fetchClamd,
    start: async (folder) => {
      const clamd = present(await startClamd(folder))
      return serves('CLAMD_PORT', clamd, { CLAMD_SOCKET: clamd.socket })
    },
  },
  {
    recipes: ['content-scanning'],
    fetch: fetchSpamd,
    start: async (folder) => serves('SPAMD_PORT', present(await startSpamd(folder))),
  },
  {
    recipes: ['rspamd'],
    fetch: () => fetchDebian(['rspamd']),
    start: async (folder) => serves('RSPAM_PORT', present(await startRspamd(folder))),
  },
  {
    recipes: ['dovecot'],
    fetch: fetchRecipesDovecot,
    start: async (folder) => {
      const own = join(folder, 'dovecot-server')
      const dovecot = present(await startRecipesDovecot(present(fetchRecipesDovecot()).root, own))
      return { words: { DOVECOT: own }, stop: () => dovecot.stop() }
    },
  },
]

/** Without what the play sets itself. */
function withoutOwn(text: string): string {
  return text.replaceAll(/^(?:exim_path|spool_directory|local_interfaces|keep_environment) =.*\n/gm, '')
}

/** Whether all that it needs can be had. */
export function playable(recipe: string): boolean {
  return needed.every((each) => !each.recipes.includes(recipe) || !('missing' in each.fetch()))
}

export function startServers(recipes: readonly string[], folder: string): Promise<readonly Running[]> {
  const wanted = needed.filter((each) => recipes.some((recipe) => each.recipes.includes(recipe)))
  return Promise.all(wanted.map((each) => each.start(folder)))
}

function serves(
  word: string,
  server: { readonly port: number; stop(): Promise<void> },
  more: Readonly<Record<string, string>> = {},
): Running {
  return { words: { [word]: String(server.port), ...more }, stop: () => server.stop() }
}

function present<T extends object>(one: T | { readonly missing: string }): T {
  if ('missing' in one) throw new Error(one.missing)
  return one
}
