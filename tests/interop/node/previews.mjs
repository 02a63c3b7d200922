// Occurrences as real pg-boss sees them, many questions at once, without a database.
//
//   {"expression", "tz", "from": milliseconds, "count"}   what previewSchedule lists
//   and "until": milliseconds                             also what a pass at that time finds in its window ("due"), and
//                                                         what it owes for a gap that began at "from" ("missed")
//
// Each of preview, due and missed is a list of milliseconds or {"refused": message}.

import { PgBoss } from 'pg-boss'
import Timekeeper from './node_modules/pg-boss/dist/timekeeper.js'
import { isRrule } from './node_modules/pg-boss/dist/rrule.js'

const WINDOW_MILLISECONDS = 60_000
const boss = new PgBoss('postgres://nobody@nowhere')
const timekeeper = new Timekeeper({}, {}, { clock: { now: () => Date.now() } })

export function answer (questions) {
  return questions.map(({ expression, tz, from, count, until }) => {
    const found = { preview: said(() => boss.previewSchedule(expression, { tz, from: new Date(from), count })) }
    if (until === undefined) return found
    const kind = isRrule(expression) ? 'rrule' : 'cron'
    found.due = said(() => timekeeper.dueOccurrences(expression, kind, tz, until).occurrences)
    const end = new Date(until - WINDOW_MILLISECONDS)
    found.missed = said(() => [timekeeper.latestOccurrenceBefore(expression, kind, tz, new Date(from), end)])
    return found
  })
}

function said (find) {
  try {
    return find().map(occurrence => occurrence && occurrence.getTime())
  } catch (error) {
    return { refused: String(error.message) }
  }
}
