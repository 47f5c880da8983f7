// Visits and pages of a visitor.

const VISIT_ENDS = 1_800_000; // after so long without a page

/**
 * Counters of visits and pages once another page is seen; they live where the id does, so they follow consent.
 * @param {?{first: number, last: number, visits: number, pages: number}} before @param {number} now epoch milliseconds
 */
export function counted(before, now) {
  const { first, last, visits, pages } = before && before.first <= now && before.visits > 0 ? before : { first: now, visits: 0, pages: 0 };
  return { first, last: now, visits: visits + !(now - last <= VISIT_ENDS), pages: pages + 1 };
}
