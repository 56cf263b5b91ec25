// Sphinx's scores, but for one thing: who searches wants an explanation first. The library's
// reference and the tables of data come after every chapter.
var Scorer = {
  score: ([page, , , , score]) =>
    /^book\/(api|data_dictionary)$/.test(page) ? score - 100 : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
