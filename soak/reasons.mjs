/**
 * Why a row of the results is red: by the name of the scenario, or of the part of the leaks. A red row without a reason fails the tests of the
 * docs. In the run that is kept none is red.
 */
export const REASONS = {}
