// Runs a whole script of calls on one pg-boss instance: the Node side of tests/support/differential.
//
// A step is {"at": milliseconds, "method": …, "args": […], "as": …}. Within args these stand for what the script has
// seen so far:
//
//   {"$job": "label"}              the id that a step named so returned, or one that no job has
//   {"$nth": ["queue", n, state]}  the id of the n-th oldest job in a queue, if need be of those in a state; likewise
//   {"$ref": ["label", "ref"]}     the id of one job of a flow, likewise
//   {"$fetched": "label"}          in a $list: the ids of all jobs that a fetch returned
//   {"$list": […]}                 a list of such ids
//   {"$attempts": {"$list": …}}    the same as {id, retryCount}, as last fetched
//   {"$at": seconds}               a Date that long after the script's beginning

import crypto from 'node:crypto'
import { syncBuiltinESMExports } from 'node:module'
import { PgBoss } from 'pg-boss'
import { Passes } from './passes.mjs'

const NOBODY = 'ffffffff-ffff-4fff-bfff-ffffffffffff'
const CACHE_MILLISECONDS = 60_000

// Time moves between steps only. A short wait, as for a lock, takes its real time; a duty of the background never comes.
class ScriptClock {
  instant = 0
  intervals = []

  now () { return this.instant }
  setTimeout (callback, milliseconds) { return milliseconds < 5_000 ? setTimeout(callback, milliseconds) : undefined }
  clearTimeout (handle) { clearTimeout(handle) }
  setInterval (callback, milliseconds) { return this.intervals.push({ callback, milliseconds }) }
  clearInterval () {}
}

export class Differential {
  constructor ({ base, side, options }) {
    this.base = base.getTime()
    this.side = side
    this.clock = new ScriptClock()
    this.clock.instant = this.base
    this.errors = []
    this.boss = new PgBoss({ ...options, clock: this.clock, queueCacheIntervalSeconds: CACHE_MILLISECONDS / 1000 })
    this.boss.on('error', error => this.errors.push(String(error?.message ?? error)))
    this.draws = 0
    this.countIds()
  }

  async start () {
    await this.boss.start()
    this.database = this.boss.getDb()
    this.failures = []
    this.passes = new Passes(this.boss, { clock: this.clock, schema: this.side, errors: this.failures })
  }

  async stop () {
    await this.boss.stop({ graceful: false })
  }

  // Ids that pg-boss draws itself sort among those that the database draws: by the instant.
  countIds () {
    crypto.randomUUID = () => {
      const instant = (this.clock.instant - this.base).toString(16).padStart(12, '0')
      const draw = (++this.draws).toString(16).padStart(11, '0')
      return `${instant.slice(0, 8)}-${instant.slice(8)}-4000-8000-f${draw}`
    }
    syncBuiltinESMExports()
  }

  // A queue that is gone, or was made anew, must not be remembered from an earlier script.
  async forget (leftovers) {
    for (const name of leftovers) await this.boss.deleteQueue(name)
    for (const { callback, milliseconds } of this.clock.intervals) {
      if (milliseconds === CACHE_MILLISECONDS) await callback()
    }
  }

  async run (steps) {
    this.results = new Map()
    this.attempts = new Map()
    const outcomes = []
    for (const step of steps) {
      await this.moveTo(step.at)
      outcomes.push(await this.perform(step))
    }
    await this.moveTo(steps.length ? steps.at(-1).at + 1 : 1)
    return { outcomes, errors: this.errors.splice(0) }
  }

  async moveTo (at) {
    const instant = new Date(this.base + at)
    await this.database.executeSql(`SELECT even.${this.side}_step($1::timestamptz)`, [instant.toISOString()])
    this.clock.instant = instant.getTime()
  }

  async perform ({ method, args, as }) {
    try {
      const target = method in this.passes ? this.passes : this.boss
      const value = await target[method](...await this.resolve(args))
      if (method === 'fetch') value.forEach(job => this.attempts.set(job.id, job.retryCount))
      if (as) this.results.set(as, value)
      return { value: value ?? null }
    } catch (error) {
      const { name = 'Error', message = String(error), code, constraint } = error
      return { error: { name, message, code, constraint } }
    }
  }

  async resolve (value) {
    if (Array.isArray(value)) return await Promise.all(value.map(inner => this.resolve(inner)))
    if (value === null || typeof value !== 'object' || value instanceof Date) return value
    if ('$list' in value) return (await this.resolve(value.$list)).flat()
    if ('$job' in value) return this.jobIds(this.results.get(value.$job))[0] ?? NOBODY
    if ('$ref' in value) return this.results.get(value.$ref[0])?.[value.$ref[1]] ?? NOBODY
    if ('$fetched' in value) return this.jobIds(this.results.get(value.$fetched))
    if ('$nth' in value) return await this.nth(...value.$nth)
    if ('$at' in value) return new Date(this.base + value.$at * 1000)
    if ('$attempts' in value) {
      const ids = await this.resolve(value.$attempts)
      return ids.map(id => ({ id, retryCount: this.attempts.get(id) ?? 0 }))
    }
    const entries = Object.entries(value).map(async ([key, inner]) => [key, await this.resolve(inner)])
    return Object.fromEntries(await Promise.all(entries))
  }

  jobIds (result) {
    if (typeof result === 'string') return [result]
    return Array.isArray(result) ? result.map(job => job.id ?? job) : []
  }

  async nth (queue, position, state = null) {
    const { rows } = await this.database.executeSql(
      `SELECT id FROM ${this.side}.job WHERE name = $1 AND ($3::text IS NULL OR state::text = $3::text)
        ORDER BY created_on OFFSET $2 LIMIT 1`,
      [queue, position, state]
    )
    return rows[0]?.id ?? NOBODY
  }
}
