"""What a model looks at and what upsets it, measured by changing its input. Describes; chooses nothing."""
