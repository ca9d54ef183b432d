"""python3 -m unittest discover -s bench/lib"""

import math
import unittest

import spread


class SpreadOfValues(unittest.TestCase):
    def test_median_and_quartiles_are_interpolated(self):
        self.assertEqual(spread.spread([1, 2, 3, 4]), spread.Spread(2.5, 1.75, 3.25, 4))
        self.assertEqual(spread.spread([5, 1, 3, 2, 4]), spread.Spread(3, 2, 4, 5))

    def test_one_value_is_its_own_quartiles(self):
        self.assertEqual(spread.spread([7]), spread.Spread(7, 7, 7, 1))

    def test_a_missing_value_does_not_count(self):
        self.assertEqual(spread.spread([None, 7, None]), spread.Spread(7, 7, 7, 1))
        self.assertIsNone(spread.spread([None]))
        self.assertIsNone(spread.spread([]))

    def test_one_outlier_moves_neither_median_nor_quartiles_far(self):
        calm = spread.spread([10, 11, 12, 13, 14])
        self.assertEqual(spread.spread([10, 11, 12, 13, 1400]), calm)


class Pairs(unittest.TestCase):
    def test_a_ratio_is_taken_within_a_round(self):
        # The machine was twice as fast in the second round: the ratio does not see it.
        self.assertEqual(spread.paired_ratios([150, 300], [100, 200]), [1.5, 1.5])

    def test_a_difference_is_taken_within_a_round(self):
        self.assertEqual(spread.paired_differences([120, 250], [100, 200]), [20, 50])

    def test_a_round_that_lacks_one_of_the_two_is_left_out(self):
        self.assertEqual(spread.paired_ratios([None, 300, 3], [100, 200, None]), [1.5])
        self.assertEqual(spread.paired_ratios([3], [0]), [])
        self.assertEqual(spread.paired_differences([None, 1], [5, 0]), [1])


class Fairness(unittest.TestCase):
    def test_idle_workers_count(self):
        self.assertEqual(spread.shares({"11": 5, "12": 9}, 4), [9, 5, 0, 0])

    def test_even(self):
        self.assertEqual(spread.unevenness([250] * 4), 0)
        self.assertEqual(spread.extremes([250] * 4), 1)

    def test_uneven(self):
        self.assertAlmostEqual(spread.unevenness([3, 1]), 0.5)
        self.assertEqual(spread.extremes([3, 1]), 3)
        self.assertAlmostEqual(spread.unevenness([1000, 0, 0, 0]), math.sqrt(3))
        self.assertEqual(spread.extremes([1000, 0]), math.inf)

    def test_nothing_was_counted(self):
        self.assertIsNone(spread.unevenness([0, 0]))
        self.assertIsNone(spread.unevenness([]))
        self.assertIsNone(spread.extremes([0, 0]))


if __name__ == "__main__":
    unittest.main()
