"""Queries as users write them, each with the notes that an expert would hand over (any of them counts as a hit).

`TUNED` was looked at while the table of synonyms and the weights were made, `HELD_OUT` was not.
"""

TUNED: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (query, frozenset(notes.split()))
    for query, notes in (
        ("only 1 percent of our transactions are scams, how should we measure quality",
         "precision-recall-for-rare-positives"),
        ("should I oversample the churners with SMOTE", "balancing-does-not-help-strong-models"),
        ("which cut-off makes F1 as high as possible",
         "f1-threshold-is-half-the-best-f1 set-thresholds-from-costs"),
        ("merchant id has 40,000 different entries",
         "regularised-target-encoding encode-targets-across-folds-only lightgbm-categories-and-many-levels "
         "rare-levels-and-unseen-categories"),
        ("half of the cells are blank, do I have to fill them in",
         "missing-values-native-support-or-flags xgboost-sparsity-and-regularised-boosting "
         "tps-sep-2021-missing-count-and-elastic-net"),
        ("house prices, a few villas cost millions",
         "house-prices-2016-small-table-linear-and-trees transform-a-skewed-target"),
        ("AUC of 0.999 seems too good to be true",
         "leakage-taxonomy-and-reproducibility prepare-inside-the-fold duplicates-across-the-split"),
        ("the API has to reply within 5 ms", "one-row-latency-budget"),
        ("just 300 patients and 50 lab values",
         "icr-2023-few-rows-resist-boosting small-tables-restrain-the-trees wide-tables-few-rows"),
        ("same customer occurs in many lines, how do I split", "keep-groups-together"),
        ("the model will be used next year, older records for training",
         "validate-forwards-in-time ieee-cis-2019-validate-with-a-gap-in-time amex-2022-drop-drifting-columns"),
        ("give a range around each forecasted price, 90 % sure", "jackknife-plus-and-cv-plus-intervals"),
        ("how to merge several trained models into one better answer",
         "ensemble-selection-with-replacement autogluon-stack-rather-than-search "
         "defects-2023-hill-climbing-over-diverse-trees tps-feb-2021-ridge-over-many-similar-models"),
        ("is a neural network better than xgboost here",
         "trees-beat-deep-learning-on-medium-tables tabzilla-light-tuning-matters-more "
         "realmlp-good-defaults-instead-of-search"),
        ("I have sixty seconds on two cores, what should run first", "start-from-a-baseline-and-a-budget"),
        ("customer star ratings from 1 to 5, order matters", "wine-quality-2023-ordinal-by-regression-and-cutoffs"),
        ("bank loan applications, who will not pay back",
         "home-credit-2018-ratios-and-neighbour-targets home-credit-stability-2024-catboost-on-many-categories "
         "amex-2022-drop-drifting-columns amex-2022-distil-trees-into-a-network"),
        ("some annotators mislabelled the rows", "label-noise-kinds-and-remedies"),
        ("how to use the order date and the weekday", "dates-as-parts-cycles-and-elapsed-time"),
        ("comments written by the call centre staff next to numeric fields", "text-columns-inside-tables"),
        ("the probabilities must be trustworthy, 70 % should mean 70 %", "calibration-needs-enough-rows"),
        ("stolen card detection, chargebacks reported weeks afterwards",
         "ieee-cis-2019-find-the-client-behind-the-rows ieee-cis-2019-validate-with-a-gap-in-time "
         "precision-recall-for-rare-positives"),
        ("missing a sick person is ten times worse than a needless check-up", "set-thresholds-from-costs"),
        ("20,000 genes measured for 120 samples", "wide-tables-few-rows"),
        ("we tried 500 hyperparameter settings and picked the best cross-validation score, is that number honest",
         "selection-bias-needs-outer-evaluation"),
        ("how can I find good settings quickly without fitting everything on all rows",
         "hyperband-successive-halving realmlp-good-defaults-instead-of-search"),
        ("a handful of sensors report absurdly large numbers, logistic regression suffers",
         "scale-with-outliers-in-mind"),
        ("nearly all fields are nominal codes: department, role, resource",
         "amazon-2013-linear-models-on-category-combinations cat-in-the-dat-2019-logistic-regression-wins "
         "cat-in-the-dat-2-2020-factorisation-for-sparse-categories catboost-ordered-statistics"),
        ("insurance claim amounts with a long tail, mean absolute error", "allstate-2016-tame-the-skewed-loss"),
        ("which drivers will make a claim", "porto-seguro-2017-denoising-and-plain-averaging"),
        ("new shops open every month that were not in training", "rare-levels-and-unseen-categories"),
        ("the export seems to contain the same line twice", "duplicates-across-the-split"),
        ("most targets are around zero but some are exactly -33",
         "elo-2019-split-off-the-extreme-targets regression-robust-to-wild-targets"),
        ("can the big ensemble be squeezed into one small fast model",
         "amex-2022-distil-trees-into-a-network one-row-latency-budget"),
        ("sort products into nine categories, log loss",
         "otto-2015-nearest-neighbours-in-the-stack otto-2015-thirty-three-models-three-levels"),
        ("mean encode a column without leaking the answer",
         "encode-targets-across-folds-only regularised-target-encoding catboost-ordered-statistics"),
        ("a million rows, which learner is fast enough", "lightgbm-histograms-and-leafwise-growth"),
        ("a second opinion besides boosting that makes other mistakes",
         "extremely-randomised-trees ensemble-selection-with-replacement "
         "defects-2023-hill-climbing-over-diverse-trees otto-2015-nearest-neighbours-in-the-stack"),
        ("may I standardise the whole file before cutting off the test part", "prepare-inside-the-fold"),
        ("revenue per order ranges from 1 to 100000, RMSLE",
         "transform-a-skewed-target allstate-2016-tame-the-skewed-loss "
         "house-prices-2016-small-table-linear-and-trees regression-robust-to-wild-targets"),
        ("two hundred anonymous numeric columns that do not correlate",
         "santander-2019-counts-and-independent-columns"),
        ("data changes over the months, which columns should go", "amex-2022-drop-drifting-columns"),
    )
)  # fmt: skip

HELD_OUT: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (query, frozenset(notes.split()))
    for query, notes in (
        ("equipment failures are extremely seldom, accuracy is always 99.8",
         "precision-recall-for-rare-positives balancing-does-not-help-strong-models f1-threshold-is-half-the-best-f1 "
         "set-thresholds-from-costs"),
        ("machines of one plant are measured again and again", "keep-groups-together"),
        ("zip codes as an input", "regularised-target-encoding encode-targets-across-folds-only "
         "lightgbm-categories-and-many-levels rare-levels-and-unseen-categories"),
        ("boosting memorises my 800 records", "small-tables-restrain-the-trees icr-2023-few-rows-resist-boosting"),
        ("lab tests were often not done, so the entry is empty",
         "missing-values-native-support-or-flags xgboost-sparsity-and-regularised-boosting "
         "tps-sep-2021-missing-count-and-elastic-net"),
        ("delivery time forecast with an upper and lower limit that can be trusted",
         "jackknife-plus-and-cv-plus-intervals"),
        ("should salaries be put on a logarithmic scale",
         "transform-a-skewed-target allstate-2016-tame-the-skewed-loss house-prices-2016-small-table-linear-and-trees"),
        ("stop hopeless configurations early during the search", "hyperband-successive-halving"),
        ("test accuracy was far below the cross-validated one after trying many things",
         "selection-bias-needs-outer-evaluation leakage-taxonomy-and-reproducibility prepare-inside-the-fold"),
        ("one column practically contains the answer", "leakage-taxonomy-and-reproducibility"),
        ("fraud ring uses the same card and address",
         "ieee-cis-2019-find-the-client-behind-the-rows ieee-cis-2019-validate-with-a-gap-in-time"),
        ("divide columns by each other to make new inputs for a loan model",
         "home-credit-2018-ratios-and-neighbour-targets"),
        ("k nearest neighbours as a member of the blend",
         "otto-2015-nearest-neighbours-in-the-stack ensemble-selection-with-replacement"),
        ("disease severity from 0 to 4", "wine-quality-2023-ordinal-by-regression-and-cutoffs"),
        ("does it pay to try a tabular transformer or mlp",
         "realmlp-good-defaults-instead-of-search tabzilla-light-tuning-matters-more "
         "trees-beat-deep-learning-on-medium-tables"),
        ("random forest variant with random splits", "extremely-randomised-trees"),
        ("hour of the day as a cyclic variable for a linear regression", "dates-as-parts-cycles-and-elapsed-time"),
        ("the scores go into an expected cost calculation, so they have to be real probabilities",
         "calibration-needs-enough-rows set-thresholds-from-costs"),
        ("customer reviews plus price and category", "text-columns-inside-tables"),
        ("demand counts with enormous peaks ruin the squared error",
         "regression-robust-to-wild-targets elo-2019-split-off-the-extreme-targets transform-a-skewed-target "
         "allstate-2016-tame-the-skewed-loss"),
        ("mobile app needs an instant answer from a tiny model", "one-row-latency-budget"),
        ("nothing has been trained yet and the time is nearly over", "start-from-a-baseline-and-a-budget"),
    )
)  # fmt: skip
