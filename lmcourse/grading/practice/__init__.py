"""A class that does not exist, and what it is made of.

invented   the whole class, as a zip and a gradebook's file
answers    right and wrong answers to each exercise, taken from the chapter's own checks
words      answers in words, from careful to none
people     who is in the class
spoiled    what comes to pieces on the way: files that a person or a program has damaged, and tricks
maker      all of these together: what each person hands in
"""
